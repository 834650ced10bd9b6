// Package carddav is what RFC 6352 demands of vCards as functions over bytes:
// what may be stored, what an addressbook-query matches, which parts to return.
package carddav
