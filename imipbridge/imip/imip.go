// Package imip is RFC 6047 as a codec: an iTIP message as a MIME mail, and a
// mail as the iTIP messages in it; delivery status notifications (RFC 3464)
// and Authentication-Results (RFC 8601). It reads what real programs send and
// writes what all of them accept. It decides nothing.
package imip
