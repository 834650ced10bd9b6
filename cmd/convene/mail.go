package main

type mailCmd struct {
	Recipient string `required:"" placeholder:"ADDRESS" help:"Envelope recipient."`
}

// Run exits 0 done, 65 malformed and refused, 67 unknown recipient, and 75 for
// any fault of ours, so that the mail server tries again (decision 31).
func (c *mailCmd) Run(e *env) error {
	cfg, s, err := e.open()
	if err != nil {
		return &exitError{exitMailLater, err}
	}
	defer s.Close()
	log := logger(e.stderr, "warn")
	desk := newDesk(s, cfg, log)
	bridge, err := newBridge(s, desk, cfg, log)
	if err != nil {
		return &exitError{exitMailLater, err}
	}
	status := bridge.Pipe(e.ctx, c.Recipient, e.stdin)
	if status == exitDone {
		return nil
	}
	return &exitError{status: status}
}
