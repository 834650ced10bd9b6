package imipbridge

import (
	"fmt"
	"os"
	"runtime"
	"testing"
)

// A long queue drains without growth in memory: a tenth of it is sent first,
// and the rest takes no more than that did. CONVENE_SOAK=1 sends 100,000.
func TestDrain(t *testing.T) {
	total := 2000
	if os.Getenv("CONVENE_SOAK") != "" {
		total = 100_000
	}
	h := open(t, "sqlite")
	h.persons("ann")
	heap := func() int64 {
		h.relay.all() // what the sink holds is not ours
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	sent := 0
	drain := func(n int) {
		first := sent
		h.fill(n, func(i int) string { return fmt.Sprintf("p%d@d%d.example", first+i, i%50) })
		sent += h.work()
	}
	drain(total / 10)
	before := heap()
	drain(total - total/10)
	after := heap()
	h.want("sent", sent, total)
	h.want("queue", len(h.queue()), 0)
	if after > before+8<<20 {
		t.Errorf("the heap grew from %d to %d octets", before, after)
	}
}
