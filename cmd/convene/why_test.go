package main

import (
	"strings"
	"testing"
	"time"

	"github.com/convene-server/convene/db"
)

func TestPrintDecisions(t *testing.T) {
	at := time.Date(2026, 11, 22, 23, 59, 59, 5e6, time.FixedZone("", 3600))
	var b strings.Builder
	printDecisions(&b, []db.Decision{
		{At: at, Direction: "user", Door: "dav", Principal: 1, From: ann, Rule: "organizer's new meeting stored", Outcome: "applied", Detail: "2 messages\nand more"},
		{At: at, Direction: "agent", Door: "agent", Principal: 2, Rule: "free at that time", Outcome: "applied", Detail: "ACCEPTED"},
		{At: at.Add(2 * time.Hour), Direction: "in", Door: "lmtp", Method: "REPLY", Principal: 1, From: "mailto:carol@example.net", To: "mailto:ann@example.org mailto:ben@example.org",
			Belief: "unverified", Rule: "answer noted", MessageID: "1@example.net"},
		{At: at.Add(2 * time.Hour), Direction: "out", Door: "newdoor", Principal: 7, Outcome: "given up"},
	}, map[int64]string{1: ann, 2: blue})
	const want = `Sunday, 22 November 2026 (UTC)
22:59:59.005  applied   written by ann@example.org (a calendar program)
              rule      organizer's new meeting stored
              detail    2 messages
                        and more
22:59:59.005  applied   answered by itself: blue@example.org
              rule      free at that time
              detail    ACCEPTED

Monday, 23 November 2026 (UTC)
00:59:59.005  -         mail: REPLY from carol@example.net to ann@example.org, ben@example.org (mail)
              rule      answer noted
              sender    unverified
              mail      1@example.net
00:59:59.005  given up  mail out (newdoor)
`
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The names of why --json are for programs to rely on.
func TestJSONDecisions(t *testing.T) {
	var b strings.Builder
	err := jsonDecisions(&b, []db.Decision{
		{At: time.Date(2026, 11, 22, 22, 59, 59, 5e6, time.UTC), Direction: "in", Door: "lmtp", UID: "u1", MessageID: "1@example.net", Method: "REPLY", Principal: 1,
			From: "mailto:carol@example.net", To: "mailto:" + ann, Belief: "proved", Rule: "answer noted", Outcome: "applied", Detail: "DKIM signature of example.net\nmended: DTSTAMP"},
		{Direction: "out", Rule: "the relay has it", Outcome: "sent"},
	}, map[int64]string{1: ann})
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{"time":"2026-11-22T22:59:59.005Z","direction":"in","door":"lmtp","uid":"u1","message_id":"1@example.net","method":"REPLY","principal":"ann@example.org","sender":"carol@example.net","recipient":"ann@example.org","belief":"proved","rule":"answer noted","outcome":"applied","detail":"DKIM signature of example.net\nmended: DTSTAMP"},{"time":"0001-01-01T00:00:00Z","direction":"out","rule":"the relay has it","outcome":"sent"}]
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// What strangers wrote cannot forge lines or move the cursor of a terminal.
func TestPrintDecisionsOfStrangers(t *testing.T) {
	var b strings.Builder
	printDecisions(&b, []db.Decision{{Direction: "in", From: "mailto:x\x1b[2J@example.net", Rule: "r\x07", MessageID: "a\rb"}}, nil)
	if strings.ContainsAny(b.String(), "\x1b\x07\r") {
		t.Errorf("%q", b.String())
	}
}
