package caldav

// What a guide offers beside its steps.
const (
	offerNothing = iota
	offerProfile
	offerDAVx
)

// frontText is the page in one language. In steps {server}, {url}, {dav},
// {user} and {directory} stand for what is to be typed.
type frontText struct {
	Lang, Title, Lead, CodeAbout               string
	Server, UserName, Password                 string
	YourAddress, YourPassword, LogIn, Insecure string
	Choose, GetProfile, OpenDAVx               string
	Addresses, Everything, Directory, MailOnly string
	Offered, Take, Refuse                      string
	Places                                     [3]string // principal, calendars, address books
	Guides                                     []guideText
}

type guideText struct {
	Name, About string
	Offer       int
	Steps       []string
}

// frontTexts are in the order of frontMatcher.
var frontTexts = [...]frontText{
	{
		Lang:  "en",
		Title: "Connect your calendar and contacts",
		Lead:  "Use the calendar and contacts programs that you have already. All of them need the same three things:",

		CodeAbout: "This page on your phone", Server: "Server", UserName: "User name", Password: "Password",
		YourAddress: "your mail address", YourPassword: "your password here",
		LogIn: "Log in to see your own addresses", Insecure: "This server is reached without encryption: use it on this computer or for a trial only.",
		Choose: "Which program do you use?", GetProfile: "Load the profile", OpenDAVx: "Open in DAVx⁵",
		Addresses: "Addresses for everything else", Everything: "Calendars and contacts", Directory: "Directory of everybody here (read-only)",
		Places:  [3]string{"Account", "Calendars", "Address books"},
		Offered: "Calendars that others share with you", Take: "Add to my calendars", Refuse: "No, thank you",
		MailOnly: "You can take part without any of this: invitations come by mail as well, and you answer with the buttons in them.",
		Guides: []guideText{
			{"iPhone and iPad", "Calendar, Reminders, Contacts", offerProfile, []string{
				"Open this page on the device, load the profile and log in: {user} and your password.",
				"Open Settings, tap “Profile Downloaded”, then “Install”, and type your password.",
				"By hand instead: Settings, Apps, Calendar, Calendar Accounts, Add Account, Other, Add CalDAV Account. Server {server}, user name {user}. Do the same under Contacts with Add CardDAV Account.",
			}},
			{"Mac", "Calendar, Reminders, Contacts", offerProfile, []string{
				"Load the profile, open it, and install it in System Settings under General, Device Management.",
				"By hand instead: System Settings, Internet Accounts, Add Account, Add Other Account, CalDAV account, account type Manual: user name {user}, server {server}. Once more for a CardDAV account.",
			}},
			{"Android", "with DAVx⁵ and any calendar app", offerDAVx, []string{
				"Install DAVx⁵ from F-Droid or Google Play.",
				"Add an account, choose “Login with URL and user name”: base URL {url}, user name {user}.",
				"As account name take your mail address: Android names you as the organizer by it. Contact group method: groups are separate vCards. Then choose calendars and address books.",
				"Add the tasks with Tasks.org or jtx Board: DAVx⁵ asks which one you have.",
			}},
			{"Thunderbird", "Windows, macOS, Linux", offerNothing, []string{
				"Calendars: New Calendar, On the Network, user name {user}, location {url}, Find Calendars, Subscribe. Leave “Prefer client-side email scheduling” off: the server invites.",
				"Contacts: in the address book New Address Book, Add CardDAV Address Book, user name {user}, location {url}.",
				"Directory: add another CardDAV address book with the location {directory}.",
			}},
			{"Evolution, GNOME", "Linux", offerNothing, []string{
				"Evolution: File, New, Collection Account. User {user}, under Advanced Options server {url}. Look Up, then Finish.",
				"GNOME 46 and later: Settings, Online Accounts, Calendar, Contacts and Files. Server {url}, user name {user}.",
			}},
			{"KDE: Kontact, KOrganizer, Merkuro", "Linux", offerNothing, []string{
				"Add a calendar of the type “DAV groupware resource”, and choose “Configure the resource manually”.",
				"User name {user}. Add CalDAV and CardDAV, both with the address {dav}, then Fetch.",
			}},
			{"Outlook", "Windows", offerNothing, []string{
				"Outlook needs an add-in: CalDav Synchronizer is free. Choose a new profile of the type “Generic CalDAV/CardDAV”.",
				"DAV URL {dav}, user name {user}. “Test or discover settings” finds calendars and address books.",
				"Without it invitations work by mail: accept or decline them as always.",
			}},
			{"Any other program", "CalDAV and CardDAV", offerNothing, []string{
				"Give it {server}, or where it wants a whole address {dav}; user name {user}.",
				"Where it wants one calendar’s address, log in above and look below.",
			}},
		},
	},
	{
		Lang:  "de",
		Title: "Kalender und Kontakte verbinden",
		Lead:  "Nehmen Sie die Kalender- und Kontaktprogramme, die Sie schon haben. Alle brauchen dieselben drei Angaben:",

		CodeAbout: "Diese Seite auf dem Telefon", Server: "Server", UserName: "Benutzername", Password: "Passwort",
		YourAddress: "Ihre Mailadresse", YourPassword: "Ihr Passwort hier",
		LogIn: "Anmelden, um Ihre eigenen Adressen zu sehen", Insecure: "Dieser Server ist ohne Verschlüsselung zu erreichen: nur auf diesem Rechner oder zum Ausprobieren.",
		Choose: "Welches Programm benutzen Sie?", GetProfile: "Profil laden", OpenDAVx: "In DAVx⁵ öffnen",
		Addresses: "Adressen für alles andere", Everything: "Kalender und Kontakte", Directory: "Verzeichnis aller hier (nur lesen)",
		Places:  [3]string{"Konto", "Kalender", "Adressbücher"},
		Offered: "Kalender, die andere mit Ihnen teilen", Take: "Zu meinen Kalendern", Refuse: "Nein, danke",
		MailOnly: "Sie können auch ohne all das teilnehmen: Einladungen kommen ebenso per Mail, und Sie antworten mit den Knöpfen darin.",
		Guides: []guideText{
			{"iPhone und iPad", "Kalender, Erinnerungen, Kontakte", offerProfile, []string{
				"Öffnen Sie diese Seite auf dem Gerät, laden Sie das Profil und melden Sie sich an: {user} und Ihr Passwort.",
				"Öffnen Sie die Einstellungen, tippen Sie auf „Profil geladen“, dann auf „Installieren“, und geben Sie Ihr Passwort ein.",
				"Oder von Hand: Einstellungen, Apps, Kalender, Kalenderaccounts, Account hinzufügen, Andere, CalDAV-Account hinzufügen. Server {server}, Benutzername {user}. Ebenso unter Kontakte mit CardDAV-Account hinzufügen.",
			}},
			{"Mac", "Kalender, Erinnerungen, Kontakte", offerProfile, []string{
				"Laden Sie das Profil, öffnen Sie es, und installieren Sie es in den Systemeinstellungen unter Allgemein, Geräteverwaltung.",
				"Oder von Hand: Systemeinstellungen, Internetaccounts, Account hinzufügen, Anderen Account hinzufügen, CalDAV-Account, Accounttyp Manuell: Benutzername {user}, Server {server}. Danach ebenso ein CardDAV-Account.",
			}},
			{"Android", "mit DAVx⁵ und jeder Kalender-App", offerDAVx, []string{
				"Installieren Sie DAVx⁵ aus F-Droid oder Google Play.",
				"Fügen Sie ein Konto hinzu, „Mit URL und Benutzername anmelden“: Basis-URL {url}, Benutzername {user}.",
				"Als Kontonamen nehmen Sie Ihre Mailadresse: Android nennt Sie damit als Organisator. Kontaktgruppen: Gruppen sind eigene vCards. Dann wählen Sie Kalender und Adressbücher.",
				"Aufgaben zeigen Tasks.org oder jtx Board: DAVx⁵ fragt, welches Sie haben.",
			}},
			{"Thunderbird", "Windows, macOS, Linux", offerNothing, []string{
				"Kalender: Neuer Kalender, Im Netzwerk, Benutzername {user}, Adresse {url}, Kalender suchen, Abonnieren. Einladungen verschickt der Server, nicht Thunderbird.",
				"Kontakte: im Adressbuch Neues Adressbuch, CardDAV-Adressbuch hinzufügen, Benutzername {user}, Adresse {url}.",
				"Verzeichnis: noch ein CardDAV-Adressbuch mit der Adresse {directory}.",
			}},
			{"Evolution, GNOME", "Linux", offerNothing, []string{
				"Evolution: Datei, Neu, Sammelkonto. Benutzer {user}, unter Erweiterte Optionen Server {url}. Nachschlagen, dann Fertigstellen.",
				"GNOME 46 und neuer: Einstellungen, Online-Konten, Kalender, Kontakte und Dateien. Server {url}, Benutzername {user}.",
			}},
			{"KDE: Kontact, KOrganizer, Merkuro", "Linux", offerNothing, []string{
				"Fügen Sie einen Kalender der Art „DAV-Groupware-Ressource“ hinzu, und richten Sie ihn von Hand ein.",
				"Benutzername {user}. Fügen Sie CalDAV und CardDAV hinzu, beide mit der Adresse {dav}, dann Abholen.",
			}},
			{"Outlook", "Windows", offerNothing, []string{
				"Outlook braucht eine Erweiterung: CalDav Synchronizer ist frei. Wählen Sie ein neues Profil der Art „Generic CalDAV/CardDAV“.",
				"DAV-URL {dav}, Benutzername {user}. „Test or discover settings“ findet Kalender und Adressbücher.",
				"Ohne sie gehen Einladungen per Mail: nehmen Sie sie an oder lehnen Sie sie ab wie immer.",
			}},
			{"Jedes andere Programm", "CalDAV und CardDAV", offerNothing, []string{
				"Geben Sie {server} an oder, wo eine ganze Adresse verlangt wird, {dav}; Benutzername {user}.",
				"Wo die Adresse eines einzelnen Kalenders verlangt wird: oben anmelden, unten nachsehen.",
			}},
		},
	},
}
