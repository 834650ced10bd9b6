package imipbridge

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory"
	"github.com/convene-server/convene/scheduling"
	"github.com/convene-server/convene/scheduling/ics"
)

// booking is a meeting of ben's in a room at an hour of the next Monday.
func booking(uid, room string, hour int) string {
	return strings.NewReplacer("T090000Z", fmt.Sprintf("T%02d0000Z", hour), "T100000Z", fmt.Sprintf("T%02d3000Z", hour), "SUMMARY:Budget", "SUMMARY:Meeting "+uid).
		Replace(event("", uid, organizer(ben)+attendees(ben, room)))
}

// Who wants that is told once a day of all answers, in his language; of each the
// last. A relay that does not take it, or a worker that dies, loses and doubles
// nothing, and what comes meanwhile is told the next day.
func TestRoundUp(t *testing.T) {
	const blue, store = "blue@example.org", "store@example.org"
	each(t, func(h *house) {
		h.add(db.Person, "ann", func(p *db.Principal) {
			p.Language, p.MailCopies, p.LastDAV, p.Policy = "de", "auto", today, "ACT_UPDATE_AND_NOTIFY"
		})
		h.persons("ben")
		h.add(db.Room, "blue", func(p *db.Principal) { p.Policy = "owner ann@example.org\nACT_ACCEPT_AND_NOTIFY" })
		h.add(db.Room, "store", func(p *db.Principal) { p.Policy = "owner ann@example.org\nACT_STORE_AND_NOTIFY" })
		h.prefers("ann", directory.Notices, directory.Daily)
		eight := time.Date(2026, 3, 3, 7, 0, 0, 0, time.UTC) // in Berlin
		text := func(m caught) string {
			return strings.NewReplacer("=\r\n", "", "=E2=80=9E", "„", "=E2=80=9C", "“").Replace(string(m.data))
		}
		tells := func(m caught) (list []string) {
			for line := range strings.Lines(text(m)) {
				if i, rest, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ": "); ok && len(strings.TrimSpace(i)) == 1 {
					list = append(list, i+" "+strings.TrimSpace(rest))
				}
			}
			return list
		}

		h.put("ben", booking("u1", blue, 9))
		h.put("ben", booking("u2", blue, 10))
		answer := func(partstat string) {
			h.Helper()
			h.clock.forward(time.Minute)
			h.put("ben", event("", "u3", organizer(ann)+attendees(ann)+answered(ben, partstat)))
		}
		h.put("ann", event("", "u3", organizer(ann)+attendees(ann, ben)))
		answer("ACCEPTED")
		answer("DECLINED")
		h.work()
		h.want("told at once", h.relay.rcpts(), "")
		rows := h.queue()
		h.want("rows", len(rows), 1)
		h.want("method", rows[0].Method, scheduling.RoundUp)
		h.want("due", rows[0].Due.Equal(eight), true)
		h.want("on record", slices.ContainsFunc(h.decisions("u2"), func(s string) bool { return strings.HasPrefix(s, "out REPLY queued told as the rules say") }), true)

		// What waits for somebody does not wait for the morning.
		h.put("ben", booking("u9", store, 11))
		h.work()
		h.want("told at once", h.relay.rcpts(), ann)

		h.clock.forward(eight.Add(-time.Second).Sub(h.clock.now()))
		h.work()
		h.want("a second before", h.relay.rcpts(), "")

		// The relay does not take it, and one more answer comes; then a worker dies.
		h.clock.forward(time.Second)
		h.relay.answer(func(stage, _ string) *smtp.SMTPError {
			return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "later"}
		})
		h.want("tried", h.work(), 1)
		h.put("ben", booking("u4", blue, 12))
		h.relay.answer(nil)
		h.clock.forward(5 * time.Minute)
		h.write(func(tx *db.Tx) error {
			ds, err := tx.ClaimDeliveries(10, lease)
			h.want("claimed", len(ds), 1)
			return err
		})
		h.clock.forward(lease + time.Second)
		h.work()
		out := h.relay.all()
		h.want("mails", len(out), 1)
		m := out[0]
		h.want("envelope", m.from+m.rcpt, ann)
		p := h.parsed(m)
		h.want("Subject", p.Subject, "Was in Ihrem Kalender geschah")
		h.want("From", p.From.Address.Mail(), "calendar@example.org")
		h.want("automatic", p.AutoSubmitted, "auto-generated")
		h.want("Date", strings.Contains(string(m.data), "\r\nDate: Tue, 03 Mar 2026 07:00:00 +0000\r\n"), true)
		h.want("no calendar", strings.Contains(string(m.data), "text/calendar"), false)
		h.want("tells", tells(m), []string{"1 Blue hat zugesagt: „Meeting u1“", "2 Blue hat zugesagt: „Meeting u2“", "3 Ben hat abgelehnt: „Budget“"})

		// The next morning tells the rest, and the one after that nothing.
		h.clock.forward(eight.AddDate(0, 0, 1).Sub(h.clock.now()))
		h.work()
		out = h.relay.all()
		h.want("mails", len(out), 1)
		h.want("tells", tells(out[0]), []string{"1 Blue hat zugesagt: „Meeting u4“"})
		h.clock.forward(48 * time.Hour)
		h.work()
		h.want("nothing more", h.relay.rcpts(), "")
		h.want("queue", len(h.queue()), 0)
	})
}

// An answer by mail from outside is a mail itself; who wants a round-up, and summaries
// in place of such mail, finds it in the round-up. What carries more than the
// answer comes as it is.
func TestRoundUpOfMail(t *testing.T) {
	each(t, func(h *house) {
		const dora = "dora@elsewhere.example"
		h.add(db.Person, "ann", func(p *db.Principal) { p.MailCopies, p.LastDAV, p.Policy = "auto", today, "ACT_UPDATE_AND_NOTIFY" })
		h.add(db.Person, dora, func(p *db.Principal) { p.MailCopies, p.LastDAV, p.Policy = "auto", today, "ACT_UPDATE_AND_NOTIFY" })
		h.put("ann", event("", "u1", organizer(ann)+attendees(cleo)))
		h.work()
		h.relay.all()
		answer := func(partstat, more string) []byte {
			h.clock.forward(time.Minute)
			text := strings.Replace(event("REPLY", "u1", organizer(ann)+answered(cleo, partstat)), "DTSTAMP:20260302T070000Z", "DTSTAMP:"+h.clock.now().UTC().Format("20060102T150405Z"), 1)
			return bodied(cleo, ann, "r"+partstat, "multipart/mixed; boundary=b", "--b\nContent-Type: text/plain\n\nyes\n--b\nContent-Type: text/calendar; charset=utf-8; method=REPLY\n\n"+text+"\n"+more+"--b--\n")
		}
		round := func() (n int) {
			for _, d := range h.queue() {
				if d.Method == scheduling.RoundUp {
					told, err := scheduling.ReadRoundUp(d.Body)
					if err != nil {
						h.Fatal(err)
					}
					n += len(told)
				}
			}
			return n
		}
		h.give(cleo, answer("TENTATIVE", ""), ann)
		h.want("as it came", h.nextHop.rcpts(), ann)
		h.prefers("ann", directory.Notices, directory.Daily)
		h.give(cleo, answer("ACCEPTED", ""), ann)
		h.want("a mail that he has is not told again", h.nextHop.rcpts(), ann)
		h.want("gathered", round(), 0)

		h.prefers("ann", directory.Incoming, directory.SummaryOnly)
		mail := answer("DECLINED", "")
		h.want("verdict", h.give(cleo, mail, ann)[ann], "250")
		h.want("verdict of the same again", h.give(cleo, mail, ann)[ann], "250")
		h.want("handed on", h.nextHop.rcpts(), "")
		h.want("gathered", round(), 1)
		h.want("PARTSTAT", h.partstat("ann", "u1", cleo), "DECLINED")
		h.give(cleo, answer("ACCEPTED", "--b\nContent-Type: application/pdf\n\n%PDF\n"), ann)
		h.want("with a file", h.nextHop.rcpts(), ann)

		// What comes to an address for answers reaches nobody's mailbox: he is told.
		h.put(dora, event("", "u2", organizer(dora)+attendees(cleo)))
		h.work()
		token := ics.CalAddress(h.parsed(h.to(cleo, h.relay.all())).Objects[0].Master().Prop("ORGANIZER")).Mail()
		say := func(partstat string) {
			h.clock.forward(time.Minute)
			text := strings.Replace(event("REPLY", "u2", answered(cleo, partstat)), "DTSTAMP:20260302T070000Z", "DTSTAMP:"+h.clock.now().UTC().Format("20060102T150405Z"), 1)
			h.want("answer", h.give(cleo, mailOf(cleo, token, "", text), token)[token], "250")
			h.work()
		}
		say("TENTATIVE")
		h.want("told by mail", h.relay.rcpts(), dora)
		h.prefers(dora, directory.Notices, directory.Daily)
		before := round()
		say("ACCEPTED")
		h.want("told by mail", h.relay.rcpts(), "")
		h.want("gathered", round()-before, 1)
	})
}

// Somebody gets another address while his round-up waits, and a notice of a mail
// that was not delivered: both reach him there, and nothing stands in the way.
func TestRoundUpRenamed(t *testing.T) {
	const blue, fresh = "blue@example.org", "anna@example.org"
	each(t, func(h *house) {
		h.add(db.Person, "ann", func(p *db.Principal) { p.MailCopies, p.LastDAV = "auto", today })
		h.persons("ben")
		h.add(db.Room, "blue", func(p *db.Principal) { p.Policy = "owner ann@example.org\nACT_ACCEPT_AND_NOTIFY" })
		h.prefers("ann", directory.Notices, directory.Daily)
		h.relay.answer(func(stage, rcpt string) *smtp.SMTPError {
			switch {
			case rcpt == cleo:
				return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
			case rcpt == ann:
				return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "later"}
			}
			return nil
		})
		h.put("ben", booking("u1", blue, 9))
		h.put("ann", event("", "u2", organizer(ann)+attendees(ann, cleo)))
		h.work()
		var waiting []string
		for _, d := range h.queue() {
			waiting = append(waiting, d.Method+" "+d.Rcpt)
		}
		slices.Sort(waiting)
		h.want("waiting", waiting, []string{"NOTICE mailto:" + ann, "ROUND-UP mailto:" + ann})
		h.write(func(tx *db.Tx) error {
			p, err := tx.PrincipalByAddress(ann)
			if err != nil {
				return err
			}
			return scheduling.Rename(tx, p, fresh)
		})
		if _, err := h.desk.WorkOnce(h.ctx); err != nil {
			t.Fatal(err)
		}
		h.put("ben", booking("u3", blue, 11))
		h.clock.forward(24 * time.Hour)
		h.work()
		got := map[string]string{}
		for _, m := range h.relay.all() {
			got[h.parsed(m).Subject+" "+m.rcpt] += string(m.data)
		}
		h.want("mails", len(got), 2)
		h.want("notice", strings.Contains(got["Not delivered: Budget "+fresh], "no such mailbox"), true)
		both := got["What happened in your calendar "+fresh]
		h.want("both", strings.Contains(both, "Meeting u1") && strings.Contains(both, "Meeting u3") && strings.Count(both, "Message-ID:") == 1, true)
	})
}
