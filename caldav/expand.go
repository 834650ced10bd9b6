package caldav

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"strings"

	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/directory"
)

// expandProperty answers an expand-property REPORT (RFC 3253 §3.8) on a
// resource: properties with hrefs of resources here are followed.
func (x *exchange) expandProperty(r *resource, root *dav.Element) error {
	props, err := dav.ParseExpand(root)
	if err != nil {
		return err
	}
	ms := x.multistatus()
	steps := 0
	if err := x.expand(ms, r, props, &steps); err != nil {
		return err
	}
	return ms.End("")
}

// maxExpanded bounds the resources that one expand-property visits.
const maxExpanded = 1_000

func (x *exchange) expand(ms *dav.MultiStatus, r *resource, props []dav.Expand, steps *int) error {
	if *steps++; *steps > maxExpanded {
		return &dav.Error{Status: http.StatusForbidden, Cond: dav.D("number-of-matches-within-limits"), Detail: "the properties lead to too many resources"}
	}
	var wanted dav.Request
	for _, e := range props {
		wanted.Props = append(wanted.Props, &dav.Element{Name: e.Name})
	}
	p, err := planOf(wanted, nil)
	if err != nil {
		return err
	}
	if err := x.loadDead(p, r); err != nil {
		return err
	}
	ms.Begin(r.href)
	for i, e := range props {
		w := p.wants[i]
		switch {
		case w.prop == nil || w.prop.kinds&r.kind == 0:
			if hrefs := deadHrefs(r, w.name); hrefs != nil && len(e.Props) > 0 {
				ms.Open(w.name)
				if err := x.expandHrefs(&ms.Writer, hrefs, e.Props, steps); err != nil {
					return err
				}
				ms.Close(w.name)
			} else if !writeDead(ms, r, w.name) {
				ms.Absent(w.name)
			}
		case len(e.Props) == 0:
			if !x.readLive(ms, r, w.prop, false) {
				ms.Absent(w.name)
			}
		default:
			var value dav.Writer
			if !w.prop.read(x, r, &value) {
				ms.Absent(w.name)
				continue
			}
			ms.Open(w.name)
			doc := dav.Document(dav.D("prop"), func(w *dav.Writer) { w.RawBytes(value.Bytes()) })
			root, err := dav.Parse(bytes.NewReader(doc), dav.Limits{})
			if err != nil {
				return err
			}
			if err := x.expandHrefs(&ms.Writer, root.Children(), e.Props, steps); err != nil {
				return err
			}
			ms.Close(w.name)
		}
	}
	ms.Finish()
	return x.broken
}

// deadHrefs are the hrefs in a dead property; nil without any.
func deadHrefs(r *resource, name xml.Name) (hrefs []*dav.Element) {
	d := r.deadNamed(name)
	if d == nil {
		return nil
	}
	root, err := dav.Parse(strings.NewReader(d.XML), dav.Limits{})
	if err != nil {
		return nil
	}
	for _, h := range root.Children() {
		if h.Name == dav.D("href") {
			hrefs = append(hrefs, h)
		}
	}
	return hrefs
}

// expandHrefs writes, in place of the hrefs of a property, the responses of
// the resources to which they lead.
func (x *exchange) expandHrefs(w *dav.Writer, value []*dav.Element, props []dav.Expand, steps *int) error {
	for _, h := range value {
		if h.Name != dav.D("href") {
			continue
		}
		_, path, err := dav.Reference(h.Trimmed())
		if err != nil {
			continue
		}
		segments, _, err := dav.Segments(path)
		if err != nil {
			continue
		}
		r, err := x.find(segments)
		if err != nil || x.may(r, directory.Read) != nil {
			continue
		}
		var part strings.Builder
		in := dav.Responses(&part, x.prefer.Minimal)
		if err := x.expand(in, r, props, steps); err != nil {
			return err
		}
		in.Flush()
		w.Raw(part.String())
	}
	return nil
}
