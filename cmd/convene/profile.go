//go:build profile

package main

import (
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"
)

// A server that is built with the tag profile writes what its processor does
// between two signals USR2 to the file that CONVENE_CPUPROFILE names. Of such a
// file deploy/bench makes default.pgo, by which the compiler decides what it
// inlines.
func init() {
	on := make(chan os.Signal, 1)
	signal.Notify(on, syscall.SIGUSR2)
	go func() {
		for range on {
			name := os.Getenv("CONVENE_CPUPROFILE")
			f, err := os.Create(name + ".part")
			if err == nil {
				err = pprof.StartCPUProfile(f)
			}
			if err != nil {
				panic(err)
			}
			<-on
			pprof.StopCPUProfile()
			f.Close()
			os.Rename(f.Name(), name)
		}
	}()
}
