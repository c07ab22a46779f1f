package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

// memory is what a child occupies after a garbage collection, with what is free
// given back to the system.
type memory struct {
	Resident   int64 // bytes that the system counts
	Heap       int64 // of it, objects
	Stacks     int64 // of it, of goroutines
	Goroutines int
}

// askMemory is the line that makes a child answer with its memory.
const askMemory = "memory\n"

// memory returns what the child occupies.
func (p *process) memory() (m memory, err error) {
	if _, err := io.WriteString(p.in, askMemory); err != nil {
		return m, err
	}
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(line, &m)
}

// ownMemory is that of this process.
func ownMemory() memory {
	var s runtime.MemStats
	for range 2 { // the first leaves what finalizers keep
		debug.FreeOSMemory()
	}
	runtime.ReadMemStats(&s)
	now, _ := residentBytes(os.Getpid())
	return memory{Resident: now, Heap: int64(s.HeapAlloc), Stacks: int64(s.StackInuse), Goroutines: runtime.NumGoroutine()}
}

// answerUntilEOF answers the lines that come to a child until there are no more.
func answerUntilEOF(in io.Reader, out io.Writer) error {
	r := bufio.NewReader(in)
	for {
		line, err := r.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if line != askMemory {
			return fmt.Errorf("unknown request %q", line)
		}
		if err := json.NewEncoder(out).Encode(ownMemory()); err != nil {
			return err
		}
	}
}

// settle is how long what has just happened may take to be tidied up.
const settle = 500 * time.Millisecond
