// Package imipbridge is the mail door: LMTP in, SMTP out, and the pages on
// which people answer without a calendar program. It owns who sent a mail and
// whether that can be believed; what a calendar object means is the desk's.
package imipbridge
