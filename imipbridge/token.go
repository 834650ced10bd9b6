package imipbridge

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"

	"github.com/convene-server/convene/db"
	"github.com/convene-server/convene/directory/cuaddr"
	"github.com/convene-server/convene/scheduling/ics"
)

// keys makes and checks tokens: what a token says is sealed with a HMAC under
// the secret of the installation, each kind under a label of its own. Nothing
// is stored for a token.
type keys struct{ secret []byte }

// seal returns the first n octets of the HMAC of the parts; lengths are in it,
// so that no two lists of parts are one text.
func (k keys) seal(n int, label string, parts ...string) []byte {
	mac := hmac.New(sha256.New, k.secret)
	var size [8]byte
	for _, p := range append([]string{"convene " + label}, parts...) {
		binary.BigEndian.PutUint64(size[:], uint64(len(p)))
		mac.Write(size[:])
		mac.Write([]byte(p))
	}
	return mac.Sum(nil)[:n]
}

// Tokens in mail addresses and Message-IDs are in base32, since mail systems
// change the case of local parts, and short: a local part has 64 octets (RFC
// 5321 §4.5.3.1.1).
var base32Text = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

const (
	kindReply  = "r" // where answers to an organizer go whose own address cannot have them
	kindBounce = "b" // envelope sender of a mail to somebody outside
	kindCopy   = "l" // envelope sender of a mail copy to somebody here
	kindID     = "m" // Message-ID

	macLen = 10 // octets: 80 bits, guessed by mail
)

// pack writes a token of numbers and fixed octets.
func (k keys) pack(kind string, payload []byte) string {
	return kind + base32Text.EncodeToString(append(payload, k.seal(macLen, kind, string(payload))...))
}

// unpack checks a token and returns its kind and what it says; "" for what is
// none of ours.
func (k keys) unpack(token string) (kind string, payload []byte) {
	token = strings.ToLower(token)
	if len(token) < 2 || len(token) > 100 {
		return "", nil
	}
	kind = token[:1]
	raw, err := base32Text.DecodeString(token[1:])
	if err != nil || len(raw) <= macLen || base32Text.EncodeToString(raw) != token[1:] {
		return "", nil
	}
	payload = raw[:len(raw)-macLen]
	if !hmac.Equal(raw[len(raw)-macLen:], k.seal(macLen, kind, string(payload))) {
		return "", nil
	}
	return kind, payload
}

// replyToken proves that an answer comes from whom an organizer invited.
type replyToken struct {
	Principal int64 // the organizer
	uid       [6]byte
	attendee  [5]byte
}

func (k keys) reply(organizer int64, uid string, attendee cuaddr.Address) string {
	p := binary.AppendUvarint(nil, uint64(organizer))
	p = append(p, k.seal(6, "uid", uid)...)
	p = append(p, k.seal(5, "attendee", uid, attendee.Fold())...)
	return k.pack(kindReply, p)
}

func readReply(payload []byte) (t replyToken, ok bool) {
	id, n := binary.Uvarint(payload)
	if n <= 0 || len(payload) != n+11 {
		return t, false
	}
	t.Principal = int64(id)
	copy(t.uid[:], payload[n:])
	copy(t.attendee[:], payload[n+6:])
	return t, true
}

// conversation reports whether the token was made for this one.
func (t replyToken) conversation(k keys, uid string) bool {
	return hmac.Equal(t.uid[:], k.seal(6, "uid", uid))
}

// names reports whether it was made for this attendee of the conversation.
func (t replyToken) names(k keys, uid string, attendee cuaddr.Address) bool {
	return hmac.Equal(t.attendee[:], k.seal(5, "attendee", uid, attendee.Fold()))
}

// delivery names one row of the queue, in an envelope sender or a Message-ID.
// The moment of its making is in it, because a database may give the number of
// a finished row once more.
func (k keys) delivery(kind string, d *db.Delivery) string {
	p := binary.AppendUvarint(nil, uint64(d.ID))
	return k.pack(kind, binary.AppendUvarint(p, uint64(d.Created.UnixMicro())))
}

func readDelivery(payload []byte) (id int64, created time.Time, ok bool) {
	u, n := binary.Uvarint(payload)
	if n <= 0 {
		return 0, created, false
	}
	at, m := binary.Uvarint(payload[n:])
	if m <= 0 || n+m != len(payload) {
		return 0, created, false
	}
	return int64(u), time.UnixMicro(int64(at)).UTC(), true
}

// conversation is the id that all mails about one UID refer to.
func (k keys) conversation(uid string) string {
	return "c" + base32Text.EncodeToString(k.seal(15, "conversation", uid))
}

// invitation is what the address of a page says: bound to organizer, UID and
// attendee, until it expires.
type invitation struct {
	Organizer int64
	UID       string
	Attendee  cuaddr.Address
	Expires   time.Time
	Language  string // of the mail; "": nobody has said
	// Decide: it is the organizer's, to decide what the Attendee proposed for RID.
	Decide bool
	RID    ics.RID
	// Waits: it is the Attendee's, to take what is in quarantine, or to drop it;
	// Organizer is he himself.
	Waits bool
}

const pageMacLen = 16

// label keeps the kinds of pages apart: nobody makes the one of the other.
func (i invitation) label() string {
	switch {
	case i.Decide:
		return "decide"
	case i.Waits:
		return "quarantine"
	}
	return "page"
}

// page makes the token of a page: base64, since no mail system touches it and
// a UID is long.
func (k keys) page(i invitation) string {
	p := binary.AppendUvarint(nil, uint64(i.Expires.Unix()))
	p = binary.AppendUvarint(p, uint64(i.Organizer))
	for _, s := range []string{i.UID, i.Language, string(i.RID)} {
		p = binary.AppendUvarint(p, uint64(len(s)))
		p = append(p, s...)
	}
	p = append(p, i.Attendee.String()...)
	return base64.RawURLEncoding.EncodeToString(append(p, k.seal(pageMacLen, i.label(), string(p))...))
}

func (k keys) readPage(token string) (i invitation, ok bool) {
	if len(token) > 8192 {
		return i, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) <= pageMacLen {
		return i, false
	}
	p := raw[:len(raw)-pageMacLen]
	for _, i = range []invitation{{}, {Decide: true}, {Waits: true}} {
		if ok = hmac.Equal(raw[len(p):], k.seal(pageMacLen, i.label(), string(p))); ok {
			break
		}
	}
	number := func() (v uint64) {
		v, n := binary.Uvarint(p)
		if ok = ok && n > 0; ok {
			p = p[n:]
		}
		return v
	}
	text := func() (s string) {
		n := number()
		if ok = ok && n <= uint64(len(p)); ok {
			s, p = string(p[:n]), p[n:]
		}
		return s
	}
	i.Expires = time.Unix(int64(number()), 0).UTC()
	i.Organizer = int64(number())
	i.UID, i.Language, i.RID = text(), text(), ics.RID(text())
	if !ok {
		return invitation{}, false
	}
	i.Attendee, err = cuaddr.Parse(string(p))
	return i, err == nil
}

// at returns the address calendar+TOKEN@domain (decision 13).
func (b *Bridge) at(token, domain string) string {
	return b.from.Local() + "+" + token + "@" + domain
}

// tokenOf returns the token of a recipient at calendar+TOKEN@ in one of our
// domains, "" for any other address.
func (b *Bridge) tokenOf(a cuaddr.Address) string {
	if a.Domain() != b.from.Domain() && !b.ours(a) {
		return ""
	}
	prefix := b.from.Local() + "+"
	if l := a.Local(); len(l) > len(prefix) && strings.EqualFold(l[:len(prefix)], prefix) {
		return l[len(prefix):]
	}
	return ""
}

// ownMail reports whether a Message-ID is one that we gave.
func (k keys) ownMail(messageID string) bool {
	local, _, _ := strings.Cut(messageID, "@")
	kind, _ := k.unpack(local)
	return kind == kindID
}
