package main

import (
	"github.com/convene-server/convene/imipbridge"
)

type smtpdFilterCmd struct {
	Milter string `arg:"" help:"Where Convene's milter listens: the value of [milter] listen."`
}

// Run serves an OpenSMTPD that has started it, for as long as that runs. It
// reads no configuration: OpenSMTPD starts filters as a user without rights.
func (c *smtpdFilterCmd) Run(e *env) error {
	f := imipbridge.SMTPDFilter{Milter: c.Milter, Log: logger(e.stderr, "warn")}
	return f.Run(e.stdin, e.stdout)
}
