// Package filter is RFC 4791 §9.7 and §9.6 as functions over calendar
// objects: which ones a calendar-query means, and which parts of them, with
// recurrences expanded, a client wants to see.
package filter
