// Package policy decides how a room, a resource or a person who lets the
// server answer replies to an invitation. Busy time and quotas are given to
// it; it stores nothing and asks no clock.
package policy
