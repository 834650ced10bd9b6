"""What Thunderbird does, driven over Marionette: an account found by
discovery, events, tasks, contacts, both ways; an invitation sent and one
answered; free/busy.

python3 thunderbird.py URL PROFILE
PROFILE is an empty folder.
"""
import json
import os
import socket
import subprocess
import sys
import time

from house import HOME, at, dav, name_of, object_of, say, until, url

profile = sys.argv[2]
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
with open(os.path.join(profile, "user.js"), "w") as f:
    f.write("""user_pref("marionette.port", %d);
user_pref("mail.provider.suppress_dialog_on_startup", true);
user_pref("mail.spotlight.firstRunDone", true);
user_pref("mail.rights.version", 1);
user_pref("mailnews.start_page.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("app.update.enabled", false);
user_pref("network.proxy.type", 0);
""" % port)

log = open(os.path.join(profile, "log"), "w")
program = subprocess.Popen(["thunderbird", "--headless", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile", profile],
                           env=dict(os.environ, HOME=profile), stdout=log, stderr=subprocess.STDOUT)


def connected():
    try:
        return socket.create_connection(("127.0.0.1", port))
    except OSError:
        return None


line = until("Thunderbird runs", connected)
stream = line.makefile("rb")


def message():
    """One message of Marionette: its length, a colon, JSON."""
    length = b""
    while not length.endswith(b":"):
        c = stream.read(1)
        if not c:
            sys.exit("Thunderbird has gone: " + open(log.name).read()[-3000:])
        length += c
    return json.loads(stream.read(int(length[:-1])))


message()  # its greeting
asked = 0


def command(name, **params):
    global asked
    asked += 1
    text = json.dumps([0, asked, name, params]).encode()
    line.sendall(str(len(text)).encode() + b":" + text)
    _, _, error, result = message()
    if error:
        sys.exit("%s: %s" % (name, json.dumps(error, indent=1)[:3000]))
    return result


COMMON = """
const { cal } = ChromeUtils.importESModule("resource:///modules/calendar/calUtils.sys.mjs");
const { CalEvent } = ChromeUtils.importESModule("resource:///modules/CalEvent.sys.mjs");
const { CalTodo } = ChromeUtils.importESModule("resource:///modules/CalTodo.sys.mjs");
const { CardDAVUtils } = ChromeUtils.importESModule("resource:///modules/CardDAVUtils.sys.mjs");
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const done = arguments[arguments.length - 1], args = arguments;
const calendar = name => cal.manager.getCalendars().find(c => c.name == name && c.type == "caldav");
"""


def run(text, *args):
    """Runs an asynchronous function inside of Thunderbird."""
    got = command("WebDriver:ExecuteAsyncScript", args=list(args), newSandbox=False, sandbox="default",
                  script=COMMON + "(async () => {" + text + "})().then(v => done({ ok: v }), e => done({ error: e + '\\n' + (e.stack || '') }));")["value"]
    if "error" in got:
        sys.exit("Thunderbird: %s\n%s" % (got["error"], text))
    return got["ok"]


command("WebDriver:NewSession")
command("Marionette:SetContext", value="chrome")
command("WebDriver:SetTimeouts", script=120000)

# An account by discovery.
names = run("""
const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
login.init(args[0].replace(/\\/$/, ""), null, "Convene", "ann@example.org", "ann-demo", "", "");
await Services.logins.addLoginAsync(login);
const names = [];
for (const [, found] of await cal.provider.detection.detect("ann@example.org", "ann-demo", args[0], true, [], {})) {
  for (const c of found) {
    names.push(c.name);
    cal.manager.registerCalendar(c);
  }
}
return names;
""", url)
if sorted(names) != ["calendar", "tasks"]:
    sys.exit("found: %s" % names)
say("the calendars are discovered")


def have(uid, text=""):
    """The object as Thunderbird has it, after it was asked to look."""
    got = run("""
const c = calendar("calendar");
c.refresh();
const item = await c.getItem(args[0]);
return item ? item.icalString : "";
""", uid).replace("\r\n ", "")
    return got if got and text in got else ""


# Events: made here, changed on the server, changed here, deleted here.
day = time.strftime("%Y%m%d", time.gmtime(time.time() + 30 * 86400))
when = "DTSTART:%sT090000Z\nDTEND:%sT100000Z" % (day, day)


def vevent(text):
    return text[text.index("BEGIN:VEVENT"):text.index("END:VCALENDAR")]


run("await calendar('calendar').addItem(new CalEvent(args[0]));", vevent(object_of("tb-1", when, "SUMMARY:By Thunderbird\n")))
until("an event is on the server", lambda: "SUMMARY:By Thunderbird" in at("ann", "calendar", "tb-1"))
dav("ann", "PUT", HOME % "ann" + "calendar/tb-2.ics", object_of("tb-2", when, "SUMMARY:On the server\n"))
until("the server's event is here", lambda: have("tb-2", "On the server"))
dav("ann", "PUT", HOME % "ann" + "calendar/tb-2.ics", object_of("tb-2", when, "SUMMARY:Changed on the server\n"))
until("the server's change is here", lambda: have("tb-2", "Changed on the server"))
run("""
const c = calendar("calendar"), old = await c.getItem("tb-2"), item = old.clone();
item.title = "Changed by Thunderbird";
await c.modifyItem(item, old);
""")
until("a change is on the server", lambda: "SUMMARY:Changed by Thunderbird" in at("ann", "calendar", "tb-2"))
run("const c = calendar('calendar'); await c.deleteItem(await c.getItem('tb-2'));")
until("a deletion is on the server", lambda: not at("ann", "calendar", "tb-2"))

# A task.
run("await calendar('tasks').addItem(new CalTodo(args[0]));",
    object_of("tb-3", "DUE;VALUE=DATE:" + day, "SUMMARY:A task\nSTATUS:NEEDS-ACTION\n", "VTODO").split("PRODID:-//test//EN\n")[1].split("END:VCALENDAR")[0])
until("a task is on the server", lambda: "SUMMARY:A task" in at("ann", "tasks", "tb-3"))

# Ann invites Ben; the server sends it, he answers, Thunderbird shows it.
who = "ORGANIZER:mailto:ann@example.org\nATTENDEE;PARTSTAT=ACCEPTED:mailto:ann@example.org\nATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:ben@example.org\n"
run("await calendar('calendar').addItem(new CalEvent(args[0]));", vevent(object_of("tb-4", when, "SUMMARY:Ann invites\n" + who)))
theirs = until("the invitation is with Ben", lambda: at("ben", "calendar", "tb-4"))
dav("ben", "PUT", name_of("ben", "calendar", "tb-4"), theirs.replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=TENTATIVE"))
until("his answer is here", lambda: have("tb-4", "PARTSTAT=TENTATIVE"))

# Ben invites Ann; she accepts in Thunderbird.
who = "ORGANIZER:mailto:ben@example.org\nATTENDEE;PARTSTAT=ACCEPTED:mailto:ben@example.org\nATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:ann@example.org\n"
dav("ben", "PUT", HOME % "ben" + "calendar/tb-5.ics", object_of("tb-5", when.replace("T09", "T12").replace("T10", "T13"), "SUMMARY:Ben invites\n" + who))
until("the invitation is here", lambda: have("tb-5"))
run("""
const c = calendar("calendar"), old = await c.getItem("tb-5"), item = old.clone();
const mine = item.getAttendeeById("mailto:ann@example.org"), answer = mine.clone();
answer.participationStatus = "ACCEPTED";
item.removeAttendee(mine);
item.addAttendee(answer);
await c.modifyItem(item, old);
""")
until("her answer is with Ben", lambda: [1 for l in at("ben", "calendar", "tb-5").split("\n") if "ann@example.org" in l and "PARTSTAT=ACCEPTED" in l])

# When is Ben busy?
busy = run("""
const from = cal.createDateTime(args[0] + "T000000Z"), to = cal.createDateTime(args[0] + "T235959Z");
return await new Promise(resolve => {
  const all = [];
  cal.freeBusyService.getFreeBusyIntervals("mailto:ben@example.org", from, to, Ci.calIFreeBusyInterval.BUSY_ALL, {
    onResult(operation, intervals) {
      for (const i of intervals || []) {
        all.push(i.interval.start.icalString);
      }
      if (!operation || !operation.isPending) {
        resolve(all);
      }
    },
  });
});
""", day)
if day + "T120000Z" not in busy:
    sys.exit("Ben's busy time came as %s" % busy)
say("Ben's busy time is here")

# Contacts, both ways.
run("""
const books = await CardDAVUtils.detectAddressBooks("ann@example.org", "ann-demo", args[0], false);
const book = books.find(b => b.url.pathname.endsWith("/contacts/"));
// It begins to synchronise by itself, and asks for the sync-token last: what came
// onto the server between its listing and that would never be looked for.
const synced = new Promise(done => Services.obs.addObserver(function all() {
  Services.obs.removeObserver(all, "addrbook-directory-synced");
  done();
}, "addrbook-directory-synced"));
const directory = await book.create();
await synced;
const card = Cc["@mozilla.org/addressbook/cardproperty;1"].createInstance(Ci.nsIAbCard);
card.displayName = "Dora Dorn";
card.primaryEmail = "dora@example.net";
directory.addCard(card);
""", url)


def card():
    home = "/dav/addressbooks/ann@example.org/contacts/"
    listing = dav("ann", "PROPFIND", home, '<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>', "text/xml")
    return [p for p in listing.split("href>")[1::2] if ".vcf" in p and "FN:Dora Dorn" in dav("ann", "GET", p.split("<")[0])]


until("a contact is on the server", card)
dav("ann", "PUT", "/dav/addressbooks/ann@example.org/contacts/ewa.vcf", "BEGIN:VCARD\nVERSION:4.0\nUID:ewa\nFN:Ewa Ecks\nN:Ecks;Ewa;;;\nEND:VCARD\n", "text/vcard")
until("the server's contact is here", lambda: "Ewa Ecks" in run("""
const { CardDAVDirectory } = ChromeUtils.importESModule("resource:///modules/CardDAVDirectory.sys.mjs");
const directory = MailServices.ab.directories.find(d => d.dirType == Ci.nsIAbManager.CARDDAV_DIRECTORY_TYPE);
await CardDAVDirectory.forFile(directory.fileName).syncWithServer();
return directory.childCards.map(c => c.displayName);
"""))
program.kill()
program.wait()
