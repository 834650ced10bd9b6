package imipbridge

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/emersion/go-smtp"

	"github.com/convene-server/convene/imipbridge/imip"
)

// Exit statuses of a program to which an MTA pipes a mail (sysexits.h); never
// 1, which MTAs read differently (decision 31).
const (
	exitOK       = 0
	exitDataErr  = 65 // malformed, refused for good
	exitNoUser   = 67
	exitTempFail = 75
)

// Pipe takes one mail for one recipient, as an MTA pipes it, and returns the
// exit status that tells the MTA what became of it.
func (b *Bridge) Pipe(ctx context.Context, rcpt string, r io.Reader) int {
	err := b.pipe(ctx, rcpt, r)
	var said *smtp.SMTPError
	switch {
	case err == nil:
		return exitOK
	case !errors.As(err, &said):
		b.log.Error("mail not taken", "rcpt", rcpt, "error", err)
		return exitTempFail
	}
	b.log.Warn("mail refused", "rcpt", rcpt, "answer", replyText(said))
	switch {
	case said.Code/100 != 5:
		return exitTempFail
	case said.EnhancedCode[1] == 1, said.EnhancedCode == smtp.EnhancedCodeNotSet && said.Code == 550:
		return exitNoUser
	}
	return exitDataErr
}

func (b *Bridge) pipe(ctx context.Context, rcpt string, r io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(r, b.opt.MaxMessage+1))
	if err != nil {
		return err
	}
	if int64(len(data)) > b.opt.MaxMessage {
		return smtp.ErrDataTooLarge
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "there is no mail"}
	}
	data = withCRLF(withoutMboxLine(data))
	to, err := b.resolve(ctx, rcpt)
	if err != nil {
		return err
	}
	if to.station == outside && (to.address.IsZero() || b.opt.DeliverTo == "") {
		return unknownUser
	}
	from := imip.ReturnPath(data)
	if !strings.Contains(from, "@") {
		from = "" // a bounce: Postfix writes MAILER-DAEMON for the null sender there
	}
	a, err := b.arrive(ctx, "pipe", from, data)
	if err != nil {
		return err
	}
	if a.mail.Hops > maxHops {
		return errLoop
	}
	d := &delivery{b: b, ctx: ctx, from: from}
	defer d.close()
	if to.station == outside {
		return d.handOn(ruling{mailbox: rcpt}, a.original(nil))
	}
	return d.one(a, to)
}

// withoutMboxLine takes off the "From " line that pipes put before a mail.
func withoutMboxLine(data []byte) []byte {
	if bytes.HasPrefix(data, []byte("From ")) {
		if _, rest, ok := bytes.Cut(data, []byte("\n")); ok {
			return rest
		}
	}
	return data
}

// withCRLF gives every line the end that it has on the wire.
func withCRLF(data []byte) []byte {
	if !bytes.Contains(data, []byte("\n")) || bytes.Count(data, []byte("\n")) == bytes.Count(data, []byte("\r\n")) {
		return data
	}
	return []byte(strings.ReplaceAll(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n", "\r\n"))
}
