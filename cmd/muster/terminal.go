package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// terminal is where a command shows how things are going. If nobody watches
// it, because it is a file or a pipe, it is not live: then what is written is
// plain lines, one for each change.
type terminal struct {
	w     io.Writer
	live  bool // the cursor can be moved
	color bool
	// size returns the columns and rows. It is asked anew for each picture: windows are resized.
	size  func() (columns, rows int)
	drawn int    // lines of the last picture
	said  string // what progress has last written where nothing can be drawn
}

// newTerminal returns the terminal that w is, if it is one.
func newTerminal(w io.Writer, getenv func(string) string) *terminal {
	t := &terminal{w: w, size: func() (int, int) { return 80, 24 }}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || getenv("TERM") == "dumb" || !canMoveCursor(f) {
		return t
	}
	t.live, t.color = true, getenv("NO_COLOR") == ""
	t.size = func() (int, int) {
		if columns, rows, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
			return columns, rows
		}
		return 80, 24
	}
	return t
}

// line writes a line that stays. The next picture is drawn below it.
func (t *terminal) line(format string, args ...any) {
	fmt.Fprintf(t.w, format+"\n", args...)
	t.drawn = 0
}

// draw replaces the last picture by lines, which must not be wider than the
// terminal. It does nothing if the terminal is not live.
func (t *terminal) draw(lines []string) {
	if !t.live {
		return
	}
	var b strings.Builder
	if t.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", t.drawn) // up
	}
	for _, l := range lines {
		b.WriteString("\r" + l + "\x1b[K\n") // clears what is left of a longer line
	}
	b.WriteString("\x1b[J") // clears lines that are no more
	t.drawn = len(lines)
	_, _ = io.WriteString(t.w, b.String()) // as with fmt.Fprint: a broken terminal cannot be told
}

// progress shows how far a job is: a bar for people, or a line for each change.
func (t *terminal) progress(name string, c tally, start time.Time) {
	text := fmt.Sprintf("  %d/%d  %s", c.finished(), c.total(), c)
	if !t.live {
		if text != t.said {
			t.line("%s%s", name, text)
			t.said = text
		}
		return
	}
	columns, _ := t.size()
	wide := min(30, columns/3)
	color := green
	if c.failures() > 0 {
		color = red
	}
	text += "  " + time.Since(start).Truncate(time.Second).String()
	t.draw([]string{t.bar(float64(c.finished())/float64(max(c.total(), 1)), wide, color) + fit(text, columns-wide-1)})
}

// Colors of text.
const (
	red   = "31"
	green = "32"
	blue  = "34"
	gray  = "90"
)

// paint returns s in a color, if the terminal has them.
func (t *terminal) paint(color, s string) string {
	if !t.color || color == "" || s == "" {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
}

// bar returns a progress bar of width columns, filled from 0 to 1.
func (t *terminal) bar(fraction float64, width int, color string) string {
	n := int(math.Floor(min(max(fraction, 0), 1) * float64(width)))
	return t.paint(color, strings.Repeat("━", n)) + t.paint(gray, strings.Repeat("─", width-n))
}

// fit cuts s to width columns, or fills it up with spaces. Control characters
// are replaced: what devices report must not steer the terminal.
func fit(s string, width int) string {
	s = clean(s)
	n := utf8.RuneCountInString(s)
	if n <= width {
		return s + strings.Repeat(" ", width-n)
	}
	if width <= 0 {
		return ""
	}
	return string([]rune(s)[:width-1]) + "…"
}

// clean replaces control characters.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return '�'
		}
		return r
	}, s)
}
