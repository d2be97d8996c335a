package xtc_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"drp/internal/testkit"
	"drp/xtc"
)

// withCRC writes a small run with checksums.
func withCRC(t *testing.T) (path string) {
	t.Helper()
	w := must(xtc.CreateWith(xtc.WriterOptions{CRC: true}, t.TempDir(), xtc.FileName{Expt: "e", Run: 1}))
	for i, d := range (testkit.Camera{Segments: 1, Rows: 1, Cols: 2}).Run(4) {
		if err := w.Append(d); err != nil {
			t.Fatal(err)
		}
		if i == 6 { // what is dropped leaves no trace
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			if err := w.Append(d); err != nil {
				t.Fatal(err)
			}
			w.Drop()
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.Files()[0]
}

// problems gives what Check finds by the checksums.
func problems(t *testing.T, path string) (found []xtc.Problem) {
	t.Helper()
	report, err := xtc.Check(path, xtc.CheckOptions{})
	if err != nil || report.CRC != path+".crc" {
		t.Fatal(report, err)
	}
	for _, p := range report.Errors {
		if strings.HasPrefix(p.Text, "checksums: ") {
			found = append(found, p)
		}
	}
	return found
}

// TestCRCFindsEveryBit turns one bit in each byte of the file, and of the checksums.
func TestCRCFindsEveryBit(t *testing.T) {
	path := withCRC(t)
	if found := problems(t, path); len(found) > 0 {
		t.Fatal(found)
	}
	big, sums := must(os.ReadFile(path)), must(os.ReadFile(path+".crc"))
	starts := []int{}
	for at := 0; at < len(big); at += xtc.Dgram(big[at:]).Size() {
		starts = append(starts, at)
	}
	if want := 8 + 16*(len(starts)+1); len(sums) != want {
		t.Errorf("%d bytes of checksums, want %d", len(sums), want)
	}
	number := 0
	for at := range big {
		if number < len(starts) && at == starts[number] {
			number++
		}
		if at > 100 && at < starts[1]-100 && at%31 > 0 { // the Configure is long
			continue
		}
		bad := bytes.Clone(big)
		bad[at] ^= 1 << (at % 8)
		write(t, path, bad)
		report, err := xtc.Check(path, xtc.CheckOptions{})
		if err != nil && number > 1 || err == nil && report.OK() {
			t.Fatalf("byte %d: %+v %v", at, report, err)
		}
		if err == nil && len(report.Errors) > 0 && report.Errors[0].Datagram > number+1 {
			t.Fatalf("byte %d of datagram %d: %v", at, number, report.Errors)
		}
	}
	write(t, path, big)
	for at := range sums {
		bad := bytes.Clone(sums)
		bad[at] ^= 1 << (at % 8)
		write(t, path+".crc", bad)
		if len(problems(t, path)) == 0 {
			t.Fatalf("byte %d of the checksums", at)
		}
	}
	for n := range len(sums) {
		write(t, path+".crc", sums[:n])
		if len(problems(t, path)) == 0 {
			t.Fatalf("%d bytes of the checksums", n)
		}
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCRCNoAllocs(t *testing.T) {
	dg := dgrams(1)
	w := must(xtc.CreateWith(xtc.WriterOptions{CRC: true}, t.TempDir(), xtc.FileName{Expt: "e"}))
	defer w.Abort()
	if err := w.Append(dg[0]); err != nil {
		t.Fatal(err)
	}
	noAllocs(t, "Append with checksums", func() {
		if err := w.Append(dg[4]); err != nil {
			t.Error(err)
		}
	})
}
