"""What the scripts that drive calendar programs share: the other side, plain
HTTP to the server as its people Ann and Ben.
"""
import base64
import sys
import time
import urllib.error
import urllib.request

url = sys.argv[1]
HOME = "/dav/calendars/%s@example.org/"
begun = time.monotonic()


def say(what):
    print("%6.1f s  %s" % (time.monotonic() - begun, what), flush=True)


def until(what, f, seconds=120, idle=lambda: None):
    """Waits for what a program or the server does by itself."""
    end = time.monotonic() + seconds
    while True:
        got = f()
        if got:
            say(what)
            return got
        if time.monotonic() > end:
            sys.exit("not seen: " + what)
        idle()
        time.sleep(0.05)


def dav(name, method, path, body=None, kind="text/calendar"):
    r = urllib.request.Request(url.rstrip("/") + path, method=method, data=body and body.replace("\n", "\r\n").encode(), headers={"Content-Type": kind, "Depth": "1"})
    r.add_header("Authorization", "Basic " + base64.b64encode(("%s@example.org:%s-demo" % (name, name)).encode()).decode())
    try:
        with urllib.request.urlopen(r) as answer:
            return answer.read().decode().replace("\r\n ", "").replace("\r\n", "\n")
    except urllib.error.HTTPError as e:
        if e.code == 404:
            return ""
        raise


def name_of(name, collection, uid, suffix=".ics"):
    """The path of the object of a UID, whatever the resource is called."""
    home = "/dav/addressbooks/%s@example.org/" % name if suffix == ".vcf" else HOME % name
    listing = dav(name, "PROPFIND", home + collection + "/", '<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>', "text/xml")
    for part in listing.split("href>")[1::2]:
        path = part.split("<")[0]
        if path.endswith(suffix) and "\nUID:" + uid + "\n" in dav(name, "GET", path):
            return path


def at(name, collection, uid, suffix=".ics"):
    """The object of a UID as the server has it."""
    path = name_of(name, collection, uid, suffix)
    return dav(name, "GET", path) if path else ""


def object_of(uid, start, more, kind="VEVENT"):
    return "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\nBEGIN:%s\nUID:%s\nDTSTAMP:20260101T000000Z\n%s\n%sEND:%s\nEND:VCALENDAR\n" % (kind, uid, start, more, kind)
