package imip

import "testing"

// Whatever a report holds: bounded, and never a failure without an action.
func FuzzReport(f *testing.F) {
	f.Add([]byte("Reporting-MTA: dns; mx\r\n\r\nFinal-Recipient: rfc822; a@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n"))
	f.Add([]byte("Final-Recipient: a@b\nAction: FAILED (x)\nStatus: 5\n\n\n\nOriginal-Recipient: ;;\n"))
	f.Add([]byte("\n\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := readReport(b, Limits{}.orDefaults())
		if len(r.Recipients) > 100 {
			t.Fatalf("%d recipients", len(r.Recipients))
		}
		if d := r.Failed(); d != nil && d.Action != "failed" {
			t.Fatalf("%+v", d)
		}
	})
}
