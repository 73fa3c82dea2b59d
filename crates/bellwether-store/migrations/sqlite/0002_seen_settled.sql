-- From here on the keys of the newest events may be missing in `seen`: whoever opens the database
-- works them out from the events above this position. Until now every key was written at once.
INSERT OR REPLACE INTO meta (name, value)
SELECT 'seen_settled', coalesce(max(position), 0) FROM event;
