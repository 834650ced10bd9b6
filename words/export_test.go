package words

import "embed"

//go:embed po/convene.pot
var pot embed.FS
