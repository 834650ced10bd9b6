# By what Convene says of a message: X-Convene-UID (of the meeting),
# X-Convene-Method (REQUEST, REPLY, CANCEL, ...), X-Convene-Outcome (applied,
# ignored, refused) and X-Convene-Decision, for people. Such fields that come
# with a mail from elsewhere are taken out before.
require ["fileinto", "mailbox"];

# Answers that count are in the calendar already.
if allof (header :is "X-Convene-Outcome" "applied", header :is "X-Convene-Method" "REPLY") {
	fileinto :create "Calendar.Answers";
	stop;
}
if header :is "X-Convene-Outcome" "applied" {
	fileinto :create "Calendar";
	stop;
}
