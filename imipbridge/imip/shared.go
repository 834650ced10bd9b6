package imip

// Shared reports whether people who have nothing to do with each other have
// mailboxes in a domain: that two of its addresses belong together says
// nothing then.
func Shared(domain string) bool { return mailboxProviders[domain] }

// mailboxProviders are the large ones; who is missing here is only treated as
// an organisation.
var mailboxProviders = map[string]bool{
	"gmail.com": true, "googlemail.com": true, "outlook.com": true, "hotmail.com": true, "hotmail.co.uk": true, "hotmail.fr": true, "hotmail.de": true,
	"live.com": true, "live.co.uk": true, "live.fr": true, "live.nl": true, "msn.com": true, "passport.com": true, "outlook.de": true, "outlook.fr": true,
	"yahoo.com": true, "yahoo.co.uk": true, "yahoo.co.jp": true, "yahoo.de": true, "yahoo.fr": true, "yahoo.it": true, "yahoo.es": true, "yahoo.com.br": true,
	"yahoo.ca": true, "yahoo.in": true, "ymail.com": true, "rocketmail.com": true, "aol.com": true, "aim.com": true, "icloud.com": true, "me.com": true,
	"mac.com": true, "gmx.de": true, "gmx.net": true, "gmx.at": true, "gmx.ch": true, "gmx.com": true, "gmx.fr": true, "web.de": true, "freenet.de": true,
	"t-online.de": true, "mail.de": true, "posteo.de": true, "posteo.net": true, "mailbox.org": true, "proton.me": true, "protonmail.com": true, "pm.me": true,
	"tuta.io": true, "tutanota.com": true, "tutanota.de": true, "fastmail.com": true, "fastmail.fm": true, "hey.com": true, "zoho.com": true,
	"zohomail.eu": true, "yandex.ru": true, "yandex.com": true, "ya.ru": true, "mail.ru": true, "bk.ru": true, "inbox.ru": true, "list.ru": true, "rambler.ru": true,
	"qq.com": true, "foxmail.com": true, "163.com": true, "126.com": true, "sina.com": true, "sohu.com": true, "naver.com": true, "daum.net": true,
	"hanmail.net": true, "orange.fr": true, "wanadoo.fr": true, "free.fr": true, "laposte.net": true, "sfr.fr": true, "libero.it": true, "virgilio.it": true,
	"tiscali.it": true, "alice.it": true, "seznam.cz": true, "centrum.cz": true, "wp.pl": true, "o2.pl": true, "onet.pl": true, "interia.pl": true, "abv.bg": true,
	"ukr.net": true, "bluewin.ch": true, "hispeed.ch": true, "telenet.be": true, "skynet.be": true, "ziggo.nl": true, "kpnmail.nl": true, "xs4all.nl": true,
	"comcast.net": true, "verizon.net": true, "att.net": true, "sbcglobal.net": true, "cox.net": true, "charter.net": true, "bellsouth.net": true,
	"btinternet.com": true, "sky.com": true, "talktalk.net": true, "virginmedia.com": true, "bigpond.com": true, "optusnet.com.au": true, "rediffmail.com": true,
	"uol.com.br": true, "bol.com.br": true, "terra.com.br": true, "telia.com": true, "online.no": true, "sapo.pt": true, "rogers.com": true, "shaw.ca": true,
}
