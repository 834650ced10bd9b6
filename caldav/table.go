package caldav

import (
	"github.com/convene-server/convene/caldav/dav"
	"github.com/convene-server/convene/directory"
)

// table is every live property: its name, where it exists, where it is
// defined, how it is read and, unless it is protected, written. What is not in
// it is a dead property and kept as it was sent.
var table = []property{
	// RFC 4918
	{name: dav.D("resourcetype"), kinds: kEvery, spec: "RFC 4918 §15.9", all: true, read: readResourceType},
	{name: dav.D("displayname"), kinds: kContainer, spec: "RFC 4918 §15.2", all: true, read: readDisplayName, write: writeDisplayName},
	{name: dav.D("creationdate"), kinds: kColl | kMember, spec: "RFC 4918 §15.1", all: true, read: readCreationDate, heavy: true},
	{name: dav.D("getetag"), kinds: kMember | kEntry | kSynced | kFixed, spec: "RFC 4918 §15.6", all: true, read: readETag},
	{name: dav.D("getcontenttype"), kinds: kEvery, spec: "RFC 4918 §15.5", all: true, read: readContentType},
	{name: dav.D("getcontentlength"), kinds: kEvery, spec: "RFC 4918 §15.4", all: true, read: readContentLength, heavy: true},
	{name: dav.D("getlastmodified"), kinds: kMember, spec: "RFC 4918 §15.7", all: true, read: readLastModified, heavy: true},

	{name: dav.D("lockdiscovery"), kinds: kColl | kMember, spec: "RFC 4918 §15.8", all: true, read: readLockDiscovery},
	{name: dav.D("supportedlock"), kinds: kColl | kMember, spec: "RFC 4918 §15.10", all: true, read: readSupportedLock},

	// RFC 4331
	{name: dav.D("quota-used-bytes"), kinds: kHome | kColl, spec: "RFC 4331 §4", read: readQuotaUsed},
	{name: dav.D("quota-available-bytes"), kinds: kHome | kColl, spec: "RFC 4331 §3", read: readQuotaAvailable},

	// RFC 3744, RFC 5397
	{name: dav.D("current-user-principal"), kinds: kEvery, spec: "RFC 5397 §3", read: readCurrentUserPrincipal},
	{name: dav.D("principal-URL"), kinds: kPrincipal | kProxy, spec: "RFC 3744 §4.2", read: readPrincipalURL},
	{name: dav.D("alternate-URI-set"), kinds: kPrincipal | kProxy, spec: "RFC 3744 §4.1", read: readNothing},
	{name: dav.D("group-member-set"), kinds: kPrincipal | kProxy, spec: "RFC 3744 §4.3", read: readGroupMembers, write: writeGroupMembers},
	{name: dav.D("group-membership"), kinds: kPrincipal | kProxy, spec: "RFC 3744 §4.4", read: readGroupMembership},
	{name: dav.CS("expanded-group-member-set"), kinds: kPrincipal | kProxy, spec: "of Apple's server", read: readExpandedMembers},
	{name: dav.CS("expanded-group-membership"), kinds: kPrincipal | kProxy, spec: "of Apple's server", read: readExpandedMembership},
	{name: dav.D("principal-collection-set"), kinds: kEvery, spec: "RFC 3744 §5.8", read: readPrincipalCollections},
	{name: dav.D("owner"), kinds: kPrincipal | kProxy | kOwned, spec: "RFC 3744 §5.1", read: readOwner},
	{name: dav.D("supported-privilege-set"), kinds: kEvery, spec: "RFC 3744 §5.3", read: readSupportedPrivileges},
	{name: dav.D("current-user-privilege-set"), kinds: kEvery, spec: "RFC 3744 §5.4", read: readPrivileges},
	{name: dav.D("acl"), kinds: kEvery, spec: "RFC 3744 §5.5", read: readACL},
	{name: dav.D("acl-restrictions"), kinds: kEvery, spec: "RFC 3744 §5.6", read: readACLRestrictions},
	{name: dav.D("inherited-acl-set"), kinds: kEvery, spec: "RFC 3744 §5.7", read: readInheritedACL},

	// RFC 3253, RFC 5842, RFC 6578
	{name: dav.D("supported-report-set"), kinds: kEvery, spec: "RFC 3253 §3.1.5", read: readSupportedReports},
	{name: dav.D("resource-id"), kinds: kPrincipal | kProxy | kOwned | kDirectory, spec: "RFC 5842 §3.1", read: readResourceID, heavy: true},
	{name: dav.D("add-member"), kinds: kCalendar | kBook | kPlain, spec: "RFC 5995 §3.2", read: readAddMember},
	{name: dav.D("sync-token"), kinds: kSynced | kHome, spec: "RFC 6578 §4", read: readSyncToken},

	// RFC 4791
	{name: dav.C("calendar-home-set"), kinds: kPrincipal, spec: "RFC 4791 §6.2.1", read: readCalendarHome},
	{name: dav.C("supported-calendar-component-set"), kinds: kCalendar | kInbox, spec: "RFC 4791 §5.2.3", read: readComponents, write: writeComponents},
	{name: dav.C("supported-calendar-component-sets"), kinds: kCalendarHome, spec: "draft-daboo-caldav-extensions", read: readComponentSets},
	{name: dav.C("supported-calendar-data"), kinds: kCalendar | kInbox | kOutbox, spec: "RFC 4791 §5.2.4", read: readSupportedCalendarData},
	{name: dav.C("max-attendees-per-instance"), kinds: kCalendar, spec: "RFC 4791 §5.2.9", read: readMaxAttendees},
	{name: dav.C("max-instances"), kinds: kCalendar, spec: "RFC 4791 §5.2.8", read: readMaxInstances},
	{name: dav.C("min-date-time"), kinds: kCalendar, spec: "RFC 4791 §5.2.6", read: readMinDateTime},
	{name: dav.C("max-date-time"), kinds: kCalendar, spec: "RFC 4791 §5.2.7", read: readMaxDateTime},
	{name: dav.C("max-resource-size"), kinds: kCalendar | kInbox | kOutbox, spec: "RFC 4791 §5.2.5", read: readMaxResourceSize},
	{name: dav.C("supported-collation-set"), kinds: kEvery, spec: "RFC 4791 §7.5.1", read: readCollations},
	{name: dav.C("supported-rscale-set"), kinds: kCalendarHome | kCalendar | kInbox | kOutbox, spec: "RFC 7529 §10.1", read: readRscales},
	{name: dav.C("calendar-timezone"), kinds: kCalendar, spec: "RFC 4791 §5.2.2", read: readTimezone, own: true, kept: true, write: writeTimezone},
	{name: dav.C("calendar-timezone-id"), kinds: kCalendar, spec: "RFC 7809 §5.2", read: readTimezoneID, write: writeTimezoneID},

	{name: dav.C("timezone-service-set"), kinds: kCalendarHome, spec: "RFC 7809 §5.1", read: readTimezoneServices},

	// RFC 6352
	{name: dav.CR("addressbook-home-set"), kinds: kPrincipal, spec: "RFC 6352 §7.1.1", read: readBookHome},
	{name: dav.CR("principal-address"), kinds: kPrincipal, spec: "RFC 6352 §7.1.2", read: readPrincipalCard},
	{name: dav.CR("default-addressbook-URL"), kinds: kBookHome, spec: "Apple's programs", read: readDefaultBook, write: writeDefaultBook},
	{name: dav.CR("directory-gateway"), kinds: kPrincipal | kBooks | kBookHome, spec: "draft-daboo-carddav-directory-gateway §3", read: readDirectoryGateway},
	{name: dav.CR("supported-address-data"), kinds: kBook | kDirectory, spec: "RFC 6352 §6.2.2", read: readSupportedAddressData},
	{name: dav.CR("max-image-size"), kinds: kBook | kBookHome, spec: "Apple's programs", read: readMaxImageSize},
	{name: dav.CR("max-resource-size"), kinds: kBook | kBookHome | kDirectory, spec: "RFC 6352 §6.2.3", read: readMaxResourceSize},
	{name: dav.CR("supported-collation-set"), kinds: kBook | kCard | kDirectory | kEntry, spec: "RFC 6352 §8.3.1", read: readCardCollations},

	// RFC 6638
	{name: dav.C("calendar-user-address-set"), kinds: kPrincipal, spec: "RFC 6638 §2.4.1", read: readAddresses},
	{name: dav.C("calendar-user-type"), kinds: kPrincipal, spec: "RFC 6638 §2.4.2", read: readUserType},
	{name: dav.C("schedule-inbox-URL"), kinds: kPrincipal, spec: "RFC 6638 §2.2.1", read: readInboxURL},
	{name: dav.C("schedule-outbox-URL"), kinds: kPrincipal, spec: "RFC 6638 §2.1.1", read: readOutboxURL},
	{name: dav.C("schedule-default-calendar-URL"), kinds: kInbox | kPrincipal, spec: "RFC 6638 §9.2", read: readDefaultCalendar, write: writeDefaultCalendar},
	{name: dav.C("schedule-calendar-transp"), kinds: kCalendar, spec: "RFC 6638 §9.1", read: readTransp, write: writeTransp},
	{name: dav.C("calendar-free-busy-set"), kinds: kInbox, spec: "draft-desruisseaux-caldav-sched", read: readFreeBusySet, write: writeFreeBusySet},
	{name: dav.C("calendar-availability"), kinds: kInbox, spec: "RFC 7953 §7.2.4", read: readAvailability, write: writeAvailability},
	{name: dav.CS("calendar-availability"), kinds: kInbox, spec: "draft-daboo-calendar-availability, Apple's programs", read: readAvailability, write: writeAvailability},
	{name: dav.C("schedule-tag"), kinds: kEvent, spec: "RFC 6638 §9.3", read: readScheduleTag, heavy: true},

	// calendarserver.org
	{name: dav.CS("getctag"), kinds: kColl | kHome, spec: "caldav-ctag", read: readCTag},
	{name: dav.CS("notification-URL"), kinds: kPrincipal, spec: "caldav-sharing §4.1.1", read: readNotificationURL},
	{name: dav.CS("notificationtype"), kinds: kTold, spec: "caldav-sharing §4.2.1", read: readNotificationType, heavy: true},
	{name: dav.CS("allowed-sharing-modes"), kinds: kCalendar, spec: "caldav-sharing §5.2.3", read: readSharingModes},
	{name: dav.CS("invite"), kinds: kCalendar, spec: "caldav-sharing §5.2.2", read: readInvite},
	{name: dav.CS("shared-url"), kinds: kCalendar, spec: "caldav-sharing §5.2.4", read: readSharedURL},
	{name: dav.CS("calendar-proxy-read-for"), kinds: kPrincipal, spec: "caldav-proxy", read: readProxyReadFor},
	{name: dav.CS("calendar-proxy-write-for"), kinds: kPrincipal, spec: "caldav-proxy", read: readProxyWriteFor},
	{name: autoSchedule, kinds: kPrincipal, spec: "Apple's server", read: readAutoSchedule, write: writeAutoSchedule},
	{name: autoScheduleMode, kinds: kPrincipal, spec: "Apple's server", read: readAutoMode, write: writeAutoMode},
	{name: dav.CS("record-type"), kinds: kPrincipal | kProxy, spec: "calendarserver-principal-search", read: readRecordType},
	{name: nextcloud("room-type"), kinds: kPrincipal, spec: "Nextcloud's programs", read: readRoomType},
	{name: seats, kinds: kPrincipal, spec: "Nextcloud's programs", read: readSeats},
	{name: nextcloud("room-building-address"), kinds: kPrincipal, spec: "Nextcloud's programs", read: readKnown(directory.Building)},
	{name: nextcloud("room-building-story"), kinds: kPrincipal, spec: "Nextcloud's programs", read: readKnown(directory.Floor)},
	{name: nextcloud("room-features"), kinds: kPrincipal, spec: "Nextcloud's programs", read: readKnown(directory.Feature)},
	{name: dav.CS("first-name"), kinds: kPrincipal, spec: "calendarserver-principal-search", read: readFirstName},
	{name: dav.CS("last-name"), kinds: kPrincipal, spec: "calendarserver-principal-search", read: readLastName},
	{name: dav.CS("email-address-set"), kinds: kPrincipal, spec: "caldav-sharing", read: readMailAddresses},
}
