package main

import (
	"strings"

	"github.com/alecthomas/kong"
)

// examples are command lines that --help shows, by the words of the command;
// those of rooms stand for resources too.
var examples = map[string]string{
	"demo":               `convene demo --once`,
	"serve":              `convene serve --config /etc/convene/convene.toml`,
	"user add":           `convene user add ann@example.org --name "Ann Arbor" --alias a.arbor@example.org --password-stdin < secret`,
	"user list":          `convene user list --json`,
	"user show":          `convene user show ann@example.org`,
	"user set":           `convene user set ann@example.org --timezone Europe/Berlin --delegate ben@example.org`,
	"user rename":        `convene user rename ann@example.org ann.berg@example.org`,
	"user record":        `convene user record ann@example.org --for 1h`,
	"user remove":        `convene user remove ann@example.org --hand-over-to ben@example.org`,
	"room add":           `convene room add blue@example.org --name "The blue room" --capacity 8 --policy same_domain_only`,
	"room list":          `convene room list`,
	"room show":          `convene room show blue@example.org --json`,
	"room set":           `convene room set blue@example.org --policy "booking_window P180D" --policy "longest PT4H"`,
	"room rename":        `convene room rename blue@example.org azure@example.org`,
	"room remove":        `convene room remove blue@example.org`,
	"room check-in":      `convene room check-in blue@example.org`,
	"room conflicts":     `convene room conflicts blue@example.org --days 90`,
	"group add":          `convene group add staff@example.org --member ann@example.org --member carol@example.net`,
	"group list":         `convene group list`,
	"group show":         `convene group show staff@example.org`,
	"group set":          `convene group set staff@example.org --add-member ben@example.org --remove-member carol@example.net`,
	"group rename":       `convene group rename staff@example.org everybody@example.org`,
	"group remove":       `convene group remove staff@example.org`,
	"domain rename":      `convene domain rename example.com example.org`,
	"freebusy set":       `convene freebusy set bob@example.com https://example.com/bob.ifb`,
	"freebusy list":      `convene freebusy list`,
	"freebusy remove":    `convene freebusy remove bob@example.com`,
	"import":             `convene import ann@example.org/work work.ics`,
	"export":             `convene export ann@example.org > ann.ics`,
	"mail":               `convene mail --recipient ann@example.org < message`,
	"smtpd-filter":       `convene smtpd-filter 127.0.0.1:2426`,
	"why":                `convene why "<20260301.1@example.net>"`,
	"queue list":         `convene queue list`,
	"queue retry":        `convene queue retry 17 18`,
	"queue drop":         `convene queue drop 17`,
	"quarantine list":    `convene quarantine list ann@example.org`,
	"quarantine release": `convene quarantine release 3`,
	"quarantine drop":    `convene quarantine drop 3`,
	"config check":       `convene config check`,
	"migrate":            `convene migrate`,
	"version":            `convene version`,
}

// withExamples puts each command's example into its help.
func withExamples(parser *kong.Kong) {
	for _, command := range parser.Model.Leaves(false) {
		words := strings.TrimPrefix(command.FullPath(), parser.Model.Name+" ")
		example, ok := examples[words]
		if rest, is := strings.CutPrefix(words, "resource "); is {
			example, ok = strings.Replace(examples["room "+rest], "convene room", "convene resource", 1), true
		}
		if ok {
			command.Detail = "Example:\n\n    " + example
		}
	}
}
