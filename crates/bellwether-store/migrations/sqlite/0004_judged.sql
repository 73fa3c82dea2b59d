-- By what the records of a feed are judged besides themselves: thresholds and settings.

ALTER TABLE inlet ADD COLUMN judged_by TEXT;
-- Grows with every change of `judged_by`.
ALTER TABLE inlet ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
-- The generation under which everything was last read.
ALTER TABLE inlet ADD COLUMN reread INTEGER NOT NULL DEFAULT 0;
