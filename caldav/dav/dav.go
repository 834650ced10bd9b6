// Package dav is WebDAV's XML and headers as values: requests in within
// bounds, multistatus out as a stream, preconditions, entity tags, Depth. It
// knows no resource.
package dav

import "encoding/xml"

// The namespaces of the properties and elements that we speak.
const (
	NS        = "DAV:"
	CalDAV    = "urn:ietf:params:xml:ns:caldav"
	CardDAV   = "urn:ietf:params:xml:ns:carddav"
	CalServer = "http://calendarserver.org/ns/"
	Apple     = "http://apple.com/ns/ical/"
)

// prefixes are declared once on the root of every answer and used for these
// namespaces in it. "CR" and not "CARD": every byte is written 10,000 times.
var prefixes = map[string]string{NS: "D", CalDAV: "C", CardDAV: "CR", CalServer: "CS", Apple: "A"}

const declarations = ` xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CR="urn:ietf:params:xml:ns:carddav"` +
	` xmlns:CS="http://calendarserver.org/ns/" xmlns:A="http://apple.com/ns/ical/"`

const prolog = `<?xml version="1.0" encoding="utf-8"?>` + "\n"

// D makes a name in DAV:.
func D(local string) xml.Name { return xml.Name{Space: NS, Local: local} }

// C makes a name in CalDAV's namespace.
func C(local string) xml.Name { return xml.Name{Space: CalDAV, Local: local} }

// CR makes a name in CardDAV's namespace.
func CR(local string) xml.Name { return xml.Name{Space: CardDAV, Local: local} }

// CS makes a name in calendarserver.org's namespace.
func CS(local string) xml.Name { return xml.Name{Space: CalServer, Local: local} }
