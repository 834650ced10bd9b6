// Package dav is WebDAV's XML and headers as values: requests in within
// bounds, multistatus out as a stream, preconditions, entity tags, Depth. It
// knows no resource.
package dav
