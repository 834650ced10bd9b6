"""What Evolution, GNOME Calendar and GNOME Contacts do, by the service that
stands behind them (evolution-data-server, over D-Bus): an account found by
discovery, events, tasks, contacts, both ways; an invitation sent and one
answered; free/busy.

dbus-run-session -- python3 evolution.py URL
with HOME empty; the account is written there before the service starts.
"""
import os
import sys
import time
from urllib.parse import urlparse

import gi

gi.require_version("EBook", "1.2")
gi.require_version("ECal", "2.0")
gi.require_version("EDataServer", "1.2")
from gi.repository import EBook, EBookContacts, ECal, EDataServer, GLib, ICalGLib

import house
from house import HOME, at, dav, name_of, object_of, say, url


def until(what, f):
    return house.until(what, f, idle=lambda: GLib.MainContext.default().iteration(False))


server = urlparse(url)
folder = os.path.join(os.environ["HOME"], ".config", "evolution", "sources")
os.makedirs(folder)
with open(os.path.join(folder, "convene.source"), "w") as f:
    f.write("""[Data Source]
DisplayName=Convene
Enabled=true

[Collection]
BackendName=webdav
CalendarEnabled=true
ContactsEnabled=true
MailEnabled=false
Identity=ann@example.org
CalendarUrl=%s
ContactsUrl=%s

[Authentication]
Host=%s
Port=%d
User=ann@example.org
Method=plain/password
RememberPassword=false
""" % (url, url, server.hostname, server.port))

registry = EDataServer.SourceRegistry.new_sync(None)


def credentials(source):
    c = EDataServer.NamedParameters()
    c.set("username", "ann@example.org")
    c.set("password", "ann-demo")
    return c


registry.connect("credentials-required", lambda _, source, *rest: source.invoke_authenticate(credentials(source), None, None))


asked = time.monotonic()


def child(name, extension):
    global asked
    account = registry.ref_source("convene")
    waits = account and account.get_connection_status() == EDataServer.SourceConnectionStatus.AWAITING_CREDENTIALS
    if waits and time.monotonic() > asked + 5:  # it asked before anybody listened here
        asked = time.monotonic()
        account.invoke_authenticate(credentials(account), None, None)
    for source in registry.list_sources(extension):
        if source.get_parent() == "convene" and source.get_display_name() == name:
            return source


calendar_source = until("the calendar is discovered", lambda: child("calendar", "Calendar"))
tasks_source = until("the task list is discovered", lambda: child("tasks", "Task List"))
book_source = until("the address book is discovered", lambda: child("contacts", "Address Book"))


def opened(connect):
    """Connects a client; the password is asked for on the way, by the loop."""
    got = []
    connect(lambda _, result, finish: got.append(finish(result)))
    return until("opened", lambda: got)[0]


def calendar(source, kind):
    return opened(lambda done: ECal.Client.connect(source, kind, 30, None, lambda o, r: done(o, r, ECal.Client.connect_finish)))


events = calendar(calendar_source, ECal.ClientSourceType.EVENTS)
tasks = calendar(tasks_source, ECal.ClientSourceType.TASKS)
book = opened(lambda done: EBook.BookClient.connect(book_source, 30, None, lambda o, r: done(o, r, EBook.BookClient.connect_finish)))
until("the calendar takes changes", lambda: not events.is_readonly())


def component(text):
    whole = ICalGLib.Component.new_from_string(text)
    return whole.get_first_component(ICalGLib.ComponentKind.ANY_COMPONENT)


def have(client, uid, text=""):
    """The object as the client has it, after it has looked at the server."""
    client.refresh_sync(None)
    try:
        ok, got = client.get_object_sync(uid, None, None)
    except GLib.Error:
        return None
    return got if text in got.as_ical_string() else None


# Events: made here, changed on the server, changed here, deleted here.
day = time.strftime("%Y%m%d", time.gmtime(time.time() + 30 * 86400))
when = "DTSTART:%sT090000Z\nDTEND:%sT100000Z" % (day, day)
ok, uid = events.create_object_sync(component(object_of("evo-1", when, "SUMMARY:By Evolution\n")), 0, None)
until("an event is on the server", lambda: "SUMMARY:By Evolution" in at("ann", "calendar", uid))
dav("ann", "PUT", HOME % "ann" + "calendar/evo-2.ics", object_of("evo-2", when, "SUMMARY:On the server\n"))
until("the server's event is here", lambda: have(events, "evo-2", "On the server"))
dav("ann", "PUT", HOME % "ann" + "calendar/evo-2.ics", object_of("evo-2", when, "SUMMARY:Changed on the server\n"))
mine = until("the server's change is here", lambda: have(events, "evo-2", "Changed on the server"))
mine.set_summary("Changed by Evolution")
events.modify_object_sync(mine, ECal.ObjModType.ALL, 0, None)
until("a change is on the server", lambda: "SUMMARY:Changed by Evolution" in at("ann", "calendar", "evo-2"))
events.remove_object_sync("evo-2", None, ECal.ObjModType.ALL, 0, None)
until("a deletion is on the server", lambda: not at("ann", "calendar", "evo-2"))

# Tasks.
ok, uid = tasks.create_object_sync(component(object_of("evo-3", "DUE;VALUE=DATE:" + day, "SUMMARY:A task\nSTATUS:NEEDS-ACTION\n", "VTODO")), 0, None)
until("a task is on the server", lambda: "SUMMARY:A task" in at("ann", "tasks", uid))

# Contacts, both ways.
contact = EBookContacts.Contact.new_from_vcard("BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Dora Dorn\r\nN:Dorn;Dora;;;\r\nEMAIL:dora@example.net\r\nEND:VCARD\r\n")
ok, uid = book.add_contact_sync(contact, 0, None)
until("a contact is on the server", lambda: "FN:Dora Dorn" in at("ann", "contacts", uid, ".vcf"))
dav("ann", "PUT", "/dav/addressbooks/ann@example.org/contacts/ewa.vcf", "BEGIN:VCARD\nVERSION:4.0\nUID:ewa\nFN:Ewa Ecks\nN:Ecks;Ewa;;;\nEND:VCARD\n", "text/vcard")


def names():
    book.refresh_sync(None)
    ok, all = book.get_contacts_sync('(contains "x-evolution-any-field" "")', None)
    return [c.get_property("full-name") for c in all]


until("the server's contact is here", lambda: "Ewa Ecks" in names())

# Ann invites Ben; the server sends it, he answers, Evolution shows it.
who = "ORGANIZER:mailto:ann@example.org\nATTENDEE;PARTSTAT=ACCEPTED:mailto:ann@example.org\nATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:ben@example.org\n"
ok, uid = events.create_object_sync(component(object_of("evo-4", when, "SUMMARY:Ann invites\n" + who)), 0, None)
theirs = until("the invitation is with Ben", lambda: at("ben", "calendar", uid))
dav("ben", "PUT", name_of("ben", "calendar", uid), theirs.replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=TENTATIVE"))
until("his answer is here", lambda: have(events, uid, "PARTSTAT=TENTATIVE"))

# Ben invites Ann; she accepts in Evolution.
who = "ORGANIZER:mailto:ben@example.org\nATTENDEE;PARTSTAT=ACCEPTED:mailto:ben@example.org\nATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:ann@example.org\n"
dav("ben", "PUT", HOME % "ben" + "calendar/evo-5.ics", object_of("evo-5", when.replace("T09", "T12").replace("T10", "T13"), "SUMMARY:Ben invites\n" + who))
mine = until("the invitation is here", lambda: have(events, "evo-5"))
line = mine.get_first_property(ICalGLib.PropertyKind.ATTENDEE_PROPERTY)
while not line.get_attendee().lower().endswith("ann@example.org"):
    line = mine.get_next_property(ICalGLib.PropertyKind.ATTENDEE_PROPERTY)
line.set_parameter(ICalGLib.Parameter.new_partstat(ICalGLib.ParameterPartstat.ACCEPTED))
events.modify_object_sync(mine, ECal.ObjModType.ALL, 0, None)
until("her answer is with Ben", lambda: [1 for l in at("ben", "calendar", "evo-5").split("\n") if "ann@example.org" in l and "PARTSTAT=ACCEPTED" in l])

# When is Ben busy? He was invited at nine and has a meeting at twelve.
midnight = int(time.time()) // 86400 * 86400 + 30 * 86400
ok, busy = events.get_free_busy_sync(midnight, midnight + 86400, ["ben@example.org"], None)
text = "".join(b.get_as_string() for b in busy)
if day + "T120000Z/" not in text.replace("\r\n ", ""):
    sys.exit("Ben's busy time came as " + text)
say("Ben's busy time is here")
