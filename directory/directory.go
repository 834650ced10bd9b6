// Package directory knows who exists, under which addresses, and who may act
// for whom: people, rooms, resources and groups. It holds no calendar content.
package directory
