package catcher

import (
	"bytes"
	"net"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
)

// SendLMTP brings a mail to an LMTP door ("host:port" or "unix:/path"), as a
// mail server hands it on. The error is the first verdict that is no 250.
func SendLMTP(addr, from string, to []string, mail []byte) error {
	network := "tcp"
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, addr = "unix", path
	}
	conn, err := net.DialTimeout(network, addr, 10*time.Second)
	if err != nil {
		return err
	}
	c := smtp.NewClientLMTP(conn)
	defer c.Close()
	if err := c.SendMail(from, to, bytes.NewReader(mail)); err != nil {
		return err
	}
	return c.Quit()
}
