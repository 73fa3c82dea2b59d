"""Calls the sandbox's Gmail and Pub/Sub with Google's own Python client and checks every answer
against the schemas of the discovery documents inside that client. Prints a table; ends with 1 on
any failure."""

import base64
import io
import json
import os
import smtplib
import subprocess
import sys
import time
import urllib.request
from email.message import EmailMessage

import google.oauth2.credentials
import googleapiclient.discovery_cache
from googleapiclient.discovery import build_from_document
from googleapiclient.errors import HttpError
from googleapiclient.http import BatchHttpRequest, MediaInMemoryUpload, MediaIoBaseUpload

from schemas import Schemas

DOCUMENTS = os.path.join(os.path.dirname(googleapiclient.discovery_cache.__file__), "documents")


def document(name, root):
    with open(os.path.join(DOCUMENTS, name), encoding="utf-8") as file:
        doc = json.load(file)
    doc["rootUrl"] = root + "/"
    doc.pop("mtlsRootUrl", None)
    doc.pop("endpoints", None)
    return doc


class Checks:
    """Counts what passed and failed, one line each."""

    def __init__(self):
        self.passed = self.failed = 0

    def note(self, name, wrong):
        if wrong:
            self.failed += 1
            print(f"FAILED  {name}")
            for line in wrong[:8]:
                print(f"        {line}")
        else:
            self.passed += 1
            print(f"passed  {name}")

    def that(self, name, good, detail=""):
        self.note(name, [] if good else [detail or "is not so"])


CHECKS = Checks()


class Api:
    """One API as one person uses it."""

    def __init__(self, file, root, credentials):
        doc = document(file, root)
        self.schemas = Schemas(doc)
        self.service = build_from_document(doc, credentials=credentials)

    def __call__(self, method, request, note=""):
        name = f"{method} {note}".strip()
        try:
            answer = request.execute()
        except HttpError as error:
            CHECKS.note(name, [f"{error.resp.status}: {error.content[:300]!r}"])
            raise
        CHECKS.note(name, self.schemas.check_answer(method, answer))
        return answer

    def refused(self, method, request, status, reason, note):
        name = f"{method} {note}"
        try:
            request.execute()
        except HttpError as error:
            body = json.loads(error.content)["error"]
            wrong = []
            if error.resp.status != status or body.get("code") != status:
                wrong.append(f"status {error.resp.status}, wanted {status}: {body}")
            if [e.get("reason") for e in body.get("errors", [])] != [reason]:
                wrong.append(f"reasons {body.get('errors')}, wanted {reason}")
            if not body.get("message") or not body.get("status"):
                wrong.append(f"message or status is missing: {body}")
            CHECKS.note(name, wrong)
        else:
            CHECKS.note(name, [f"was answered, wanted {status} {reason}"])


def letter(to, subject, text="Hello.", sender="approvals@example.com", **headers):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message


def raw(message):
    return base64.urlsafe_b64encode(message.as_bytes()).decode()


def header(message, name):
    return next(h["value"] for h in message["payload"]["headers"] if h["name"].lower() == name)


def messages_and_formats(gmail, users, smtp):
    messages = users.messages()
    profile = gmail("gmail.users.getProfile", users.getProfile(userId="me"))
    CHECKS.that("the profile is of the caller", profile["emailAddress"] == "approvals@example.com")
    empty = gmail("gmail.users.messages.list", messages.list(userId="me"), "(empty)")
    CHECKS.that("messages is absent when empty", "messages" not in empty)
    mail = letter("approvals@example.com", "PO 4711 \u2013 Sp\u00e4ne", "Bitte freigeben.",
                  sender="Ariba <ariba@example.com>")
    mail.add_alternative("<p>Bitte <b>freigeben</b>.</p>", subtype="html")
    mail.add_attachment(b"%PDF-1.4 " + bytes(range(256)), maintype="application", subtype="pdf",
                        filename="order.pdf")
    mail.add_attachment(letter("a@b.example", "inner", "inner text"))
    original = mail.as_bytes(policy=mail.policy.clone(linesep="\r\n"))
    with smtplib.SMTP(*smtp) as door:
        door.sendmail("ariba@example.com", ["approvals@example.com"], original)
    listed = gmail("gmail.users.messages.list", messages.list(userId="me", q="in:inbox is:unread"))
    message_id = listed["messages"][0]["id"]
    for form in ("minimal", "metadata", "full", "raw"):
        got = gmail("gmail.users.messages.get",
                    messages.get(userId="me", id=message_id, format=form), f"({form})")
        CHECKS.that(f"{form} is unread in the inbox", {"UNREAD", "INBOX"} <= set(got["labelIds"]))
    CHECKS.that("raw ends with the bytes that were sent",
                base64.urlsafe_b64decode(got["raw"]).endswith(original))
    picked = gmail("gmail.users.messages.get", messages.get(
        userId="me", id=message_id, format="metadata", metadataHeaders=["subject", "From"]),
        "(two headers)")
    names = sorted(h["name"] for h in picked["payload"]["headers"])
    CHECKS.that("only the wanted headers come", names == ["From", "Subject"], str(names))
    CHECKS.that("the subject is decoded", header(picked, "subject") == "PO 4711 \u2013 Sp\u00e4ne")
    full = messages.get(userId="me", id=message_id).execute()
    kinds = [part["mimeType"] for part in full["payload"]["parts"]]
    wanted = ["multipart/alternative", "application/pdf", "message/rfc822"]
    CHECKS.that("the tree of parts is the message's", kinds == wanted, str(kinds))
    plain = full["payload"]["parts"][0]["parts"][0]
    CHECKS.that("text parts carry data", base64.urlsafe_b64decode(
        plain["body"]["data"]).strip() == b"Bitte freigeben." and plain["partId"] == "0.0")
    pdf = full["payload"]["parts"][1]
    CHECKS.that("an attachment has its name", pdf["filename"] == "order.pdf")
    got = gmail("gmail.users.messages.attachments.get", messages.attachments().get(
        userId="me", messageId=message_id, id=pdf["body"]["attachmentId"]))
    CHECKS.that("an attachment has its bytes",
                base64.urlsafe_b64decode(got["data"]) == b"%PDF-1.4 " + bytes(range(256)))
    part = gmail("gmail.users.messages.get", messages.get(
        userId="me", id=message_id, fields="id,payload(mimeType)"), "(fields)")
    CHECKS.that("fields cut the answer", set(part) == {"id", "payload"}, str(part))
    results = header(full, "authentication-results")
    CHECKS.that("the results are Google's", results.startswith("mx.google.com;")
                and "dmarc=pass" in results, results)
    return full


def sending(gmail, users, first):
    messages, threads = users.messages(), users.threads()
    mine = "<own-id@bellwether.example>"
    reply = letter("Ariba <ariba@example.com>", "Re: PO 4711 \u2013 Sp\u00e4ne", "Approved.",
                   Message_ID=mine, In_Reply_To=header(first, "message-id"),
                   References=header(first, "message-id"))
    sent = gmail("gmail.users.messages.send", messages.send(
        userId="me", body={"raw": raw(reply), "threadId": first["threadId"]}), "(reply)")
    CHECKS.that("a reply is in the thread", sent["threadId"] == first["threadId"])
    CHECKS.that("a sent message is SENT", sent["labelIds"] == ["SENT"], str(sent))
    kept = messages.get(userId="me", id=sent["id"], format="metadata").execute()
    CHECKS.that("Message-ID is replaced", header(kept, "message-id") != mine)
    thread = gmail("gmail.users.threads.get", threads.get(userId="me", id=first["threadId"]))
    CHECKS.that("the thread has both", len(thread["messages"]) == 2)
    gmail("gmail.users.threads.list", threads.list(userId="me", q="subject:4711"))
    gmail("gmail.users.threads.modify", threads.modify(
        userId="me", id=first["threadId"], body={"addLabelIds": ["STARRED"]}))
    found = gmail("gmail.users.messages.list", messages.list(userId="me", q="rfc822msgid:"
                  + header(kept, "message-id").strip("<>")), "(rfc822msgid)")
    CHECKS.that("a sent message is found by its id", found["messages"][0]["id"] == sent["id"])
    for kind, media in (
        ("media", MediaInMemoryUpload(letter("ariba@example.com", "up").as_bytes(),
                                      mimetype="message/rfc822")),
        ("resumable", MediaIoBaseUpload(io.BytesIO(letter("ariba@example.com", "up").as_bytes()),
                                        mimetype="message/rfc822", resumable=True)),
    ):
        gmail("gmail.users.messages.send",
              messages.send(userId="me", media_body=media), f"(upload {kind})")
    media = MediaInMemoryUpload(reply.as_bytes(), mimetype="message/rfc822")
    multi = gmail("gmail.users.messages.send", messages.send(
        userId="me", body={"threadId": first["threadId"]}, media_body=media), "(upload multipart)")
    CHECKS.that("a multipart upload keeps its thread", multi["threadId"] == first["threadId"])
    gmail.refused("gmail.users.messages.send",
                  messages.send(userId="me", body={"raw": raw(letter("", "nobody"))}),
                  400, "invalidArgument", "(no recipient)")
    taken = gmail("gmail.users.messages.import", messages.import_(
        userId="me", body={"raw": raw(letter("approvals@example.com", "imported"))}))
    got = messages.get(userId="me", id=taken["id"], format="metadata").execute()
    CHECKS.that("an import is stamped", "dmarc=pass" in header(got, "authentication-results"))
    put = gmail("gmail.users.messages.insert", messages.insert(
        userId="me", body={"raw": raw(letter("x@y.example", "put")), "labelIds": ["INBOX"]}))
    CHECKS.that("an insert has its labels", put["labelIds"] == ["INBOX"])
    return put


def labels_and_history(gmail, users, put):
    messages, labels = users.messages(), users.labels()
    start = users.getProfile(userId="me").execute()["historyId"]
    same = gmail("gmail.users.history.list",
                 users.history().list(userId="me", startHistoryId=start), "(empty)")
    CHECKS.that("history is absent when empty", "history" not in same)
    label = gmail("gmail.users.labels.create",
                  labels.create(userId="me", body={"name": "To do/soon"}))
    gmail("gmail.users.labels.list", labels.list(userId="me"))
    got = gmail("gmail.users.messages.modify", messages.modify(
        userId="me", id=put["id"],
        body={"addLabelIds": [label["id"], "UNREAD"], "removeLabelIds": ["INBOX"]}))
    CHECKS.that("labels are changed", set(got["labelIds"]) == {label["id"], "UNREAD"})
    gmail("gmail.users.labels.get", labels.get(userId="me", id=label["id"]))
    gmail("gmail.users.labels.patch",
          labels.patch(userId="me", id=label["id"], body={"name": "Later"}))
    gmail("gmail.users.labels.update",
          labels.update(userId="me", id=label["id"], body={"name": "Later still"}))
    found = gmail("gmail.users.messages.list",
                  messages.list(userId="me", q="label:later-still", labelIds=["UNREAD"]))
    CHECKS.that("a label is searched by name", found["messages"][0]["id"] == put["id"])
    gmail("gmail.users.messages.batchModify", messages.batchModify(
        userId="me", body={"ids": [put["id"]], "removeLabelIds": ["UNREAD"]}))
    gmail("gmail.users.messages.trash", messages.trash(userId="me", id=put["id"]))
    gmail("gmail.users.messages.untrash", messages.untrash(userId="me", id=put["id"]))
    gmail("gmail.users.labels.delete", labels.delete(userId="me", id=label["id"]))
    gmail("gmail.users.messages.delete", messages.delete(userId="me", id=put["id"]))
    history, pages = [], users.history().list(userId="me", startHistoryId=start, maxResults=3)
    while pages is not None:
        page = gmail("gmail.users.history.list", pages, "(page)")
        history += page.get("history", [])
        pages = users.history().list_next(pages, page)
    ids = [int(record["id"]) for record in history]
    CHECKS.that("history ids grow", ids == sorted(set(ids)) and ids[0] > int(start))
    keys = [next(k for k in r if k not in ("id", "messages")) for r in history]
    wanted = ["labelsRemoved", "labelsAdded", "labelsRemoved", "labelsAdded", "labelsRemoved",
              "labelsRemoved", "messagesDeleted"]
    CHECKS.that("history tells what happened", keys == wanted, str(keys))
    typed = users.history().list(userId="me", startHistoryId=start,
                                 historyTypes=["messageDeleted"]).execute()
    CHECKS.that("history is filtered by type", len(typed["history"]) == 1)
    gmail.refused("gmail.users.history.list", users.history().list(userId="me", startHistoryId="1"),
                  404, "notFound", "(expired)")
    gmail.refused("gmail.users.messages.get", messages.get(userId="me", id=put["id"]),
                  404, "notFound", "(gone)")
    gmail.refused("gmail.users.labels.create",
                  labels.create(userId="me", body={"name": "inbox"}), 409, "aborted", "(taken)")
    gmail.refused("gmail.users.getProfile", users.getProfile(userId="ariba@example.com"),
                  403, "forbidden", "(somebody else)")


def drafts_and_settings(gmail, users):
    drafts = users.drafts()
    body = {"message": {"raw": raw(letter("ariba@example.com", "draft", "one"))}}
    made = gmail("gmail.users.drafts.create", drafts.create(userId="me", body=body))
    gmail("gmail.users.drafts.get", drafts.get(userId="me", id=made["id"]))
    gmail("gmail.users.drafts.list", drafts.list(userId="me"))
    body = {"message": {"raw": raw(letter("ariba@example.com", "draft", "two"))}}
    changed = gmail("gmail.users.drafts.update",
                    drafts.update(userId="me", id=made["id"], body=body))
    CHECKS.that("an update makes a new message", changed["message"]["id"] != made["message"]["id"]
                and changed["id"] == made["id"])
    sent = gmail("gmail.users.drafts.send", drafts.send(userId="me", body={"id": made["id"]}))
    CHECKS.that("sending makes a new message",
                sent["id"] != changed["message"]["id"] and sent["labelIds"] == ["SENT"])
    gmail.refused("gmail.users.drafts.get", drafts.get(userId="me", id=made["id"]),
                  404, "notFound", "(sent)")
    gmail.refused("gmail.users.drafts.send", drafts.send(userId="me", body={"id": made["id"]}),
                  404, "notFound", "(twice)")
    made = drafts.create(userId="me", body=body).execute()
    gmail("gmail.users.drafts.delete", drafts.delete(userId="me", id=made["id"]))
    settings = users.settings()
    gmail("gmail.users.settings.sendAs.list", settings.sendAs().list(userId="me"))
    gmail("gmail.users.settings.getVacation", settings.getVacation(userId="me"))


def watching(gmail, users, pubsub):
    topic, name = "projects/p/topics/mail", "projects/p/subscriptions/bellwether"
    body = {"topicName": topic, "labelIds": ["INBOX"], "labelFilterBehavior": "INCLUDE"}
    gmail.refused("gmail.users.watch", users.watch(userId="me", body=body),
                  404, "notFound", "(no topic)")
    projects = pubsub.service.projects()
    topics, subscriptions = projects.topics(), projects.subscriptions()
    pubsub("pubsub.projects.topics.create", topics.create(name=topic, body={}))
    pubsub("pubsub.projects.subscriptions.create",
           subscriptions.create(name=name, body={"topic": topic, "ackDeadlineSeconds": 10}))
    watch = gmail("gmail.users.watch", users.watch(userId="me", body=body))
    week = int(watch["expiration"]) / 1000 - time.time()
    CHECKS.that("a watch lasts seven days", abs(week - 7 * 86400) < 60, str(week))
    pulled = pubsub("pubsub.projects.subscriptions.pull",
                    subscriptions.pull(subscription=name, body={"maxMessages": 10}))
    first = pulled["receivedMessages"][0]
    data = json.loads(base64.b64decode(first["message"]["data"]))
    CHECKS.that("a watch notifies at once",
                data["emailAddress"] == "approvals@example.com", str(data))
    pubsub("pubsub.projects.subscriptions.modifyAckDeadline", subscriptions.modifyAckDeadline(
        subscription=name, body={"ackIds": [first["ackId"]], "ackDeadlineSeconds": 0}))
    again = pubsub("pubsub.projects.subscriptions.pull",
                   subscriptions.pull(subscription=name, body={"maxMessages": 10}), "(again)")
    message = again["receivedMessages"][0]
    CHECKS.that("a refused message comes again",
                message["message"]["messageId"] == first["message"]["messageId"])
    pubsub("pubsub.projects.subscriptions.acknowledge", subscriptions.acknowledge(
        subscription=name, body={"ackIds": [message["ackId"]]}))
    users.messages().insert(userId="me", body={
        "raw": raw(letter("approvals@example.com", "news")), "labelIds": ["INBOX"]}).execute()
    pulled = pubsub("pubsub.projects.subscriptions.pull",
                    subscriptions.pull(subscription=name, body={"maxMessages": 10}), "(new mail)")
    CHECKS.that("new mail notifies", len(pulled["receivedMessages"]) == 1)
    pubsub("pubsub.projects.topics.publish", topics.publish(
        topic=topic, body={"messages": [{"data": base64.b64encode(b"x").decode()}]}))
    gmail("gmail.users.stop", users.stop(userId="me"))
    gmail.refused("gmail.users.watch",
                  users.watch(userId="me", body={"topicName": "mail"}),
                  400, "invalidArgument", "(bad topic)")


def batching(gmail, users, google):
    answers = {}

    def answered(request_id, response, exception):
        answers[request_id] = exception or response

    batch = BatchHttpRequest(callback=answered, batch_uri=google + "/batch/gmail/v1")
    batch.add(users.getProfile(userId="me"), request_id="profile")
    batch.add(users.labels().list(userId="me"), request_id="labels")
    batch.add(users.messages().get(userId="me", id="00"), request_id="missing")
    batch.execute(http=gmail.service._http)
    wrong = gmail.schemas.check_answer("gmail.users.getProfile", answers["profile"])
    wrong += gmail.schemas.check_answer("gmail.users.labels.list", answers["labels"])
    if getattr(answers["missing"], "status_code", 0) != 404:
        wrong.append(f"missing: {answers['missing']!r}")
    CHECKS.note("batch of three calls, one of them refused", wrong)


def main():
    process = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        parts = json.loads(process.stdout.readline())
        with urllib.request.urlopen(f"http://{parts['page']}/admin/info") as answer:
            info = json.load(answer)
        box = next(b for b in info["mailboxes"] if b["address"] == "approvals@example.com")
        credentials = google.oauth2.credentials.Credentials(
            token=None, refresh_token=box["refresh_token"], token_uri=info["token_url"],
            client_id=box["client_id"], client_secret=box["client_secret"])
        gmail = Api("gmail.v1.json", info["google_url"], credentials)
        pubsub = Api("pubsub.v1.json", info["google_url"], credentials)
        users = gmail.service.users()
        host, port = parts["smtp"].split(":")
        first = messages_and_formats(gmail, users, (host, int(port)))
        put = sending(gmail, users, first)
        labels_and_history(gmail, users, put)
        drafts_and_settings(gmail, users)
        watching(gmail, users, pubsub)
        batching(gmail, users, info["google_url"])
    finally:
        process.stdin.close()
        process.wait(10)
    print(f"{CHECKS.passed} passed, {CHECKS.failed} failed")
    return 1 if CHECKS.failed else 0


if __name__ == "__main__":
    sys.exit(main())
