package dav

import (
	"encoding/xml"
	"strconv"
)

// Error is a refusal of a request: a status, and the precondition that was not
// met (RFC 4918 §16).
type Error struct {
	Status int      // of HTTP
	Cond   xml.Name // element inside DAV:error; the zero Name: none
	Hrefs  []string // inside the condition, encoded
	Detail string   // for people
	// Privileges are the missing ones of Href, for need-privileges (RFC 3744
	// §7.1.1).
	Privileges []xml.Name
}

func (e *Error) Error() string {
	s := strconv.Itoa(e.Status)
	if e.Cond.Local != "" {
		s += " " + e.Cond.Local
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// ErrorDescription is the element of a DAV:error with words for people, as
// Apple's server and those after it write it.
var ErrorDescription = xml.Name{Space: "http://twistedmatrix.com/xml_namespace/dav/", Local: "error-description"}

// Body is the DAV:error that tells it, nil where there is nothing to tell but
// the status. It is never an empty DAV:error, which Thunderbird takes for a
// rate limit.
func (e *Error) Body() []byte {
	if e.Cond.Local == "" && e.Detail == "" {
		return nil
	}
	return Document(D("error"), func(w *Writer) {
		switch {
		case e.Cond.Local == "":
		case len(e.Privileges) > 0:
			w.Open(e.Cond)
			for _, p := range e.Privileges {
				w.Raw("<D:resource>")
				for _, h := range e.Hrefs {
					w.Href(h)
				}
				w.Raw("<D:privilege>")
				w.Empty(p)
				w.Raw("</D:privilege></D:resource>")
			}
			w.Close(e.Cond)
		case len(e.Hrefs) > 0:
			w.Open(e.Cond)
			for _, h := range e.Hrefs {
				w.Href(h)
			}
			w.Close(e.Cond)
		default:
			w.Empty(e.Cond)
		}
		if e.Detail != "" {
			// A DAV:responsedescription belongs into multistatus answers (RFC 4918
			// §14.25); programs that show words know them by Apple's name.
			w.Element(ErrorDescription, e.Detail)
		}
	})
}

var reasons = map[int]string{
	200: "OK", 201: "Created", 204: "No Content", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
	405: "Method Not Allowed", 409: "Conflict", 412: "Precondition Failed", 413: "Request Entity Too Large", 415: "Unsupported Media Type",
	422: "Unprocessable Entity", 423: "Locked", 424: "Failed Dependency", 500: "Internal Server Error", 501: "Not Implemented", 503: "Service Unavailable",
	507: "Insufficient Storage",
}

// StatusLine is the text of a DAV:status. Programs compare it as it is, so the
// phrase is always there and always the same.
func StatusLine(code int) string {
	if code == 200 {
		return "HTTP/1.1 200 OK"
	}
	phrase, ok := reasons[code]
	if !ok {
		phrase = "Status"
	}
	return "HTTP/1.1 " + strconv.Itoa(code) + " " + phrase
}
