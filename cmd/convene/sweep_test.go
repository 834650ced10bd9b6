package main

import (
	"testing"
	"time"
)

// Thunderbird cannot begin anew with an address book whose sync token is no
// longer known: what is deleted is told for more than a year.
func TestKept(t *testing.T) {
	if keep.Tombstones < 366*24*time.Hour {
		t.Errorf("what is deleted is told for %v", keep.Tombstones)
	}
	if keep.Recordings <= 0 || keep.Inbox <= 0 || keep.Decisions <= 0 {
		t.Errorf("something is kept for ever: %+v", keep)
	}
}
