package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// conditions describes what the figures depend on beside the code, one fact a
// line. What the system does not tell is left out.
func conditions(ctx context.Context, dir string, now time.Time) []string {
	facts := []string{now.Format("2006-01-02 15:04 MST")}
	cores := fmt.Sprintf("%d cores", runtime.NumCPU())
	if model := field("/proc/cpuinfo", "model name"); model != "" {
		cores += ", " + model
	}
	if kb, err := strconv.Atoi(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB")); err == nil {
		cores += fmt.Sprintf(", %.0f GiB", float64(kb)/(1<<20))
	}
	facts = append(facts, cores, runtime.Version()+" "+runtime.GOOS+"/"+runtime.GOARCH)
	if fs := filesystem(dir); fs != "" {
		facts = append(facts, "data on "+fs)
	}
	if out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--tags").Output(); err == nil {
		facts = append(facts, "Muster "+strings.TrimSpace(string(out)))
	}
	if load := loadAverage(); load != "" {
		facts = append(facts, "load average "+load+" at the start")
	}
	return facts
}

// loadAverage returns the load averages of 1, 5 and 15 minutes, or "".
func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	fields := strings.Fields(string(b))
	if err != nil || len(fields) < 3 {
		return ""
	}
	return strings.Join(fields[:3], " ")
}

// field returns the first value of a name in a file of "name: value" lines, or "".
func field(file, name string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		key, value, ok := strings.Cut(line, ":")
		if ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// filesystem returns type and device of what dir is on, or "".
func filesystem(dir string) string {
	b, err := os.ReadFile("/proc/self/mounts")
	abs, absErr := filepath.Abs(dir)
	if err != nil || absErr != nil {
		return ""
	}
	best, found := -1, ""
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 3 || len(f[1]) < best {
			continue
		}
		if abs == f[1] || strings.HasPrefix(abs, strings.TrimSuffix(f[1], "/")+"/") {
			best, found = len(f[1]), f[2]+" ("+f[0]+")"
		}
	}
	return found
}

// processCPU returns how much CPU time a process has used, to ten milliseconds,
// or 0 if the system does not tell.
func processCPU(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, after, ok := bytes.Cut(b, []byte(") ")) // what comes before may hold spaces
	f := bytes.Fields(after)
	if err != nil || !ok || len(f) < 13 {
		return 0
	}
	var ticks int64
	for _, v := range f[11:13] { // user and system
		n, err := strconv.ParseInt(string(v), 10, 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100
}

// ownCPU is processCPU of this process.
func ownCPU() time.Duration { return processCPU(os.Getpid()) }

// residentBytes returns how much memory a process occupies now and has occupied
// at most, or 0 if the system does not tell.
func residentBytes(pid int) (now, peak int64) {
	read := func(name string) int64 {
		kb, _ := strings.CutSuffix(field(fmt.Sprintf("/proc/%d/status", pid), name), " kB")
		n, err := strconv.ParseInt(kb, 10, 64)
		if err != nil {
			return 0
		}
		return n << 10
	}
	return read("VmRSS"), read("VmHWM")
}
