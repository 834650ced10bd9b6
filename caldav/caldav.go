// Package caldav is the HTTP door for calendar and contacts programs: the URL
// tree, methods, privileges, live properties and reports of RFC 4918, 3744,
// 4791, 6352, 6578 and 6638. Reading goes straight to the database; writing a
// calendar object goes through the desk and nowhere else.
package caldav
