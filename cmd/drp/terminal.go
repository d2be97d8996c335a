package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"unicode/utf8"

	"golang.org/x/term"

	"drp/internal/draw"
)

// openCanvas takes a terminal over: show draws, quit is closed when somebody wants to leave. Elsewhere pictures follow each
// other.
func openCanvas(out *os.File) (show func([]string), quit <-chan struct{}, leave func(), err error) {
	if !isTerminal(out) {
		return func(lines []string) { fmt.Fprintln(out, strings.Join(lines, "\n")+"\n") }, nil, func() {}, nil
	}
	quit, leave, err = takeTerminal(out)
	return func(lines []string) {
		width, height := sizeOf(out)
		fmt.Fprint(out, canvas(lines, width, height))
	}, quit, leave, err
}

// isTerminal tells whether somebody sees what is written, and can press keys.
func isTerminal(out *os.File) bool {
	return term.IsTerminal(int(out.Fd())) && term.IsTerminal(int(os.Stdin.Fd()))
}

// takeTerminal shows another page, and gives the one before back when it is left. quit is closed when somebody wants to leave.
func takeTerminal(out *os.File) (quit <-chan struct{}, leave func(), err error) {
	keys := os.Stdin
	before, err := term.MakeRaw(int(keys.Fd()))
	if err != nil {
		return nil, nil, err
	}
	fmt.Fprint(out, "\x1b[?1049h\x1b[?25l") // another page, no cursor
	left := false
	leave = func() {
		if !left {
			left = true
			fmt.Fprint(out, "\x1b[?25h\x1b[?1049l")
			_ = term.Restore(int(keys.Fd()), before)
		}
	}
	pressed := make(chan struct{})
	go func() {
		defer close(pressed)
		awaitQuit(keys)
	}()
	return pressed, leave, nil
}

// sizeOf is that of a terminal in letters.
func sizeOf(out *os.File) (width, height int) {
	width, height, err := term.GetSize(int(out.Fd()))
	if err != nil || width < 1 || height < 1 {
		return 80, 24
	}
	return width, height
}

// coloursOf says how many colours a terminal has, by what it tells of itself.
func coloursOf(environment func(string) string) draw.Depth {
	kind, colours := environment("TERM"), environment("COLORTERM")
	switch {
	case environment("NO_COLOR") != "" || kind == "" || kind == "dumb":
		return draw.Colourless
	case colours == "truecolor" || colours == "24bit" || strings.HasSuffix(kind, "-direct"):
		return draw.Full
	case strings.Contains(kind, "256color"):
		return draw.Palette
	}
	return draw.Colourless
}

// awaitQuit returns when somebody presses q or Ctrl-C, or there is no keyboard any more.
func awaitQuit(keys io.Reader) {
	key := make([]byte, 1)
	for {
		n, err := keys.Read(key)
		if err != nil && !errors.Is(err, syscall.EINTR) || n == 1 && (key[0] == 'q' || key[0] == 3) {
			return
		}
	}
}

// canvas fits lines into a terminal, and draws over what is there. The last line says what does not fit.
func canvas(lines []string, width, height int) string {
	var b strings.Builder
	b.WriteString("\x1b[H")
	widest, hidden := 0, ""
	for _, line := range lines {
		if !coloured(line) {
			widest = max(widest, utf8.RuneCountInString(line))
		}
	}
	if widest > width {
		hidden = fmt.Sprintf("cut at column %d of %d", width, widest)
	}
	if n := len(lines) - height; n > 0 || n == 0 && hidden != "" {
		hidden = strings.TrimSuffix(fmt.Sprintf("%d more lines; %s", n+1, hidden), "; ")
		lines = lines[:height-1]
	}
	if hidden != "" {
		lines = append(lines[:len(lines):len(lines)], hidden)
	}
	for i, line := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		if r := []rune(line); len(r) > width && !coloured(line) {
			line = string(r[:max(0, width-1)]) + "…"
		}
		b.WriteString(line + "\x1b[K")
	}
	b.WriteString("\x1b[J")
	return b.String()
}

// coloured tells of a line with colours that it was made to fit.
func coloured(line string) bool { return strings.Contains(line, "\x1b") }
