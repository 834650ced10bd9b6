"""What a program written with python-caldav does: discovery, calendars,
events, search, synchronisation, invitations, free/busy.

python3 python_caldav.py URL
"""
import sys
from datetime import date, datetime, timedelta, timezone

import caldav
from caldav.lib import error

url = sys.argv[1]


def check(got, want, what):
    if got != want:
        sys.exit("%s: got %r, want %r" % (what, got, want))


def client(name):
    return caldav.DAVClient(url=url, username=name + "@example.org", password=name + "-demo")


def event(uid, start, end, summary, more=""):
    def when(t):
        return ":" + t.strftime("%Y%m%dT%H%M%SZ") if isinstance(t, datetime) else ";VALUE=DATE:" + t.strftime("%Y%m%d")

    return "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//python-caldav//test//EN\nBEGIN:VEVENT\nUID:%s\nDTSTAMP%s\nDTSTART%s\nDTEND%s\nSUMMARY:%s\n%sEND:VEVENT\nEND:VCALENDAR\n" % (
        uid, when(datetime.now(timezone.utc)), when(start), when(end), summary, more)


# Discovery from the root of the server.
ann = client("ann").principal()
ben = client("ben").principal()
check(ann.calendar_user_address_set()[0], "mailto:ann@example.org", "addresses")
check(ann.client.check_scheduling_support(), True, "scheduling announced")
homes = sorted(str(c.url).rstrip("/").rsplit("/", 1)[-1] for c in ann.calendars())
check(homes, ["calendar", "tasks"], "calendars")
main = [c for c in ann.calendars() if str(c.url).endswith("/calendar/")][0]
try:
    caldav.DAVClient(url=url, username="ann@example.org", password="wrong").principal()
    sys.exit("a wrong password was accepted")
except error.AuthorizationError:
    pass

# A calendar of one's own.
work = ann.make_calendar(name="Work", cal_id="work", supported_calendar_component_set=["VEVENT"])
check(work.get_display_name(), "Work", "display name")
day = datetime.now(timezone.utc).replace(hour=9, minute=0, second=0, microsecond=0) + timedelta(days=30)
weekly = work.save_event(event("weekly@example.org", day, day + timedelta(hours=1), "Weekly", "RRULE:FREQ=WEEKLY;COUNT=4\n"))
work.save_event(event("newyear@example.org", date(day.year + 2, 1, 1), date(day.year + 2, 1, 2), "New Year"))
check(len(work.events()), 2, "events")
found = work.search(start=day, end=day + timedelta(days=15), event=True, expand=True)
check([e.icalendar_component["dtstart"].dt.date() for e in found], [day.date(), (day + timedelta(days=7)).date(), (day + timedelta(days=14)).date()], "expanded by the server")
check(len(work.date_search(start=day - timedelta(days=9), end=day - timedelta(days=1))), 0, "before the series")
check(str(work.event_by_uid("newyear@example.org").icalendar_component["summary"]), "New Year", "by UID")

# Synchronisation by token.
objects = work.objects(load_objects=True)
check(len(list(objects)), 2, "first synchronisation")
weekly.icalendar_component["summary"] = "Each week"
weekly.save()
work.event_by_uid("newyear@example.org").delete()
work.save_event(event("third@example.org", day, day + timedelta(hours=2), "Third"))
changed, deleted = objects.sync()
check((len(changed), len(deleted)), (2, 1), "changed and deleted since")
changed, deleted = objects.sync()
check((len(changed), len(deleted)), (0, 0), "nothing since")
work.delete()
check(len(ann.calendars()), 2, "calendars after deleting one")

# An invitation to somebody on the same server: in the inbox and in the
# calendar; accepting it in the calendar reaches the organizer.
meeting = event("python@example.org", day, day + timedelta(hours=1), "Python")
main.save_with_invites(meeting, ["mailto:ann@example.org", "mailto:ben@example.org", "mailto:blue@example.org"])
inbox = ben.schedule_inbox().get_items()
invites = [i for i in inbox if i.is_invite_request()]
check(len(invites), 1, "invitations in the inbox")
bens = [c for c in ben.calendars() if str(c.url).endswith("/calendar/")][0]
copy = bens.event_by_uid("python@example.org")
copy.change_attendee_status(attendee="mailto:ben@example.org", PARTSTAT="ACCEPTED")
copy.save()
invites[0].delete()
answers = {str(a).lower(): a.params.get("PARTSTAT") for a in main.event_by_uid("python@example.org").icalendar_component["attendee"]}
check(answers["mailto:ben@example.org"], "ACCEPTED", "Ben's answer")
check(answers["mailto:blue@example.org"], "ACCEPTED", "the room's answer")

# Free/busy through the outbox and of a calendar.
request = event("freebusy@example.org", day - timedelta(hours=1), day + timedelta(hours=2), "", "ORGANIZER:mailto:ann@example.org\nATTENDEE:mailto:ben@example.org\nATTENDEE:mailto:blue@example.org\n")
request = request.replace("VEVENT", "VFREEBUSY").replace("SUMMARY:\n", "").replace("BEGIN:VFREEBUSY", "METHOD:REQUEST\nBEGIN:VFREEBUSY")
answer = ann.client.post(ann.schedule_outbox().url, request, {"Content-Type": "text/calendar; charset=utf-8"})
check(answer.status, 200, "status of the outbox")
busytext = answer.raw if isinstance(answer.raw, str) else answer.raw.decode()
for who in ("ben", "blue"):
    check(busytext.count("mailto:%s@example.org" % who) > 0, True, "busy time of " + who)
check(len([line for line in busytext.splitlines() if line.startswith("FREEBUSY")]), 2, "busy periods")
busy = main.freebusy_request(day - timedelta(hours=1), day + timedelta(hours=2))
check("FREEBUSY" in busy.data, True, "busy time of a calendar")

# Cancelled by the organizer: gone, or cancelled, in the attendee's calendar.
main.event_by_uid("python@example.org").delete()
try:
    left = bens.event_by_uid("python@example.org")
    check(str(left.icalendar_component.get("status")), "CANCELLED", "status of the attendee's copy")
except error.NotFoundError:
    pass

# Refusals are refusals.
try:
    main.save_event("BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nnonsense\nEND:VEVENT\nEND:VCALENDAR\n")
    sys.exit("nonsense was stored")
except Exception as e:
    if isinstance(e, SystemExit):
        raise
print("done")
