package xtc_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drp/xtc"
)

// sampleDir is the folder of public sample files, which cannot be part of this repository.
func sampleDir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("DRP_TESTDATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "data")
	}
	dir = filepath.Join(dir, "xtc2")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no sample data: set DRP_TESTDATA")
	}
	return dir
}

type sampleFile struct {
	path  string
	bytes int64
	count [10]int // all, then as the columns of sampleColumns
}

var sampleColumns = [...]xtc.TransitionID{xtc.Configure, xtc.BeginRun, xtc.BeginStep, xtc.Enable, xtc.SlowUpdate,
	xtc.L1Accept, xtc.Disable, xtc.EndStep, xtc.EndRun}

var sampleFiles = []sampleFile{
	{"test_ts.xtc2", 221672, [...]int{6, 1, 1, 1, 1, 0, 2, 0, 0, 0}},
	{"test_timetool.xtc2", 1920492, [...]int{1326, 1, 0, 0, 0, 0, 1325, 0, 0, 0}},
	{"detector/test_epix_calib.xtc2", 3922114, [...]int{6, 1, 1, 1, 1, 0, 2, 0, 0, 0}},
	{"detector/test_jungfrau05M_calib.xtc2", 2124558, [...]int{8, 1, 1, 2, 1, 1, 2, 0, 0, 0}},
	{"intg_det/xpptut15-r0014-s000-c000.xtc2", 5540, [...]int{24, 1, 1, 1, 1, 0, 17, 1, 1, 1}},
	{"intg_det/xpptut15-r0014-s001-c000.xtc2", 4388, [...]int{12, 1, 1, 1, 1, 0, 5, 1, 1, 1}},
	{"intg_det/xpptut15-r0014-s002-c000.xtc2", 4100, [...]int{9, 1, 1, 1, 1, 0, 2, 1, 1, 1}},
	{"intg_det/smalldata/xpptut15-r0014-s000-c000.smd.xtc2", 7296, [...]int{24, 1, 1, 1, 1, 0, 17, 1, 1, 1}},
	{"intg_det/smalldata/xpptut15-r0014-s001-c000.smd.xtc2", 6384, [...]int{12, 1, 1, 1, 1, 0, 5, 1, 1, 1}},
	{"intg_det/smalldata/xpptut15-r0014-s002-c000.smd.xtc2", 6156, [...]int{9, 1, 1, 1, 1, 0, 2, 1, 1, 1}},
	{"mixed_rate/xpptut15-r0014-s000-c000.xtc2", 126148, [...]int{110, 1, 1, 1, 1, 3, 100, 1, 1, 1}},
	{"mixed_rate/xpptut15-r0014-s001-c000.xtc2", 42560, [...]int{20, 1, 1, 1, 1, 3, 10, 1, 1, 1}},
	{"mixed_rate/smalldata/xpptut15-r0014-s000-c000.smd.xtc2", 51044, [...]int{110, 1, 1, 1, 1, 3, 100, 1, 1, 1}},
	{"mixed_rate/smalldata/xpptut15-r0014-s001-c000.smd.xtc2", 36936, [...]int{20, 1, 1, 1, 1, 3, 10, 1, 1, 1}},
	{"chunking/xpptut15-r0014-s000-c000.xtc2", 51664, [...]int{15, 1, 1, 1, 2, 0, 10, 0, 0, 0}},
	{"chunking/data-r0001-s000-c001.xtc2", 4412, [...]int{9, 0, 0, 0, 0, 1, 5, 1, 1, 1}},
	{"chunking/smalldata/xpptut15-r0014-s000-c000.smd.xtc2", 46592, [...]int{24, 1, 1, 1, 2, 1, 15, 1, 1, 1}},
}

func TestSampleCounts(t *testing.T) {
	dir := sampleDir(t)
	for _, f := range sampleFiles {
		t.Run(f.path, func(t *testing.T) {
			path := filepath.Join(dir, f.path)
			s, err := xtc.Scan(path)
			if err != nil || s.Truncated != nil {
				t.Fatal(err, s.Truncated)
			}
			if s.Bytes != f.bytes || s.Datagrams != f.count[0] {
				t.Errorf("%d bytes, %d datagrams, want %d, %d", s.Bytes, s.Datagrams, f.bytes, f.count[0])
			}
			for i, service := range sampleColumns {
				if got := s.Count[service]; got != f.count[i+1] {
					t.Errorf("%d of %v, want %d", got, service, f.count[i+1])
				}
			}
			r, err := xtc.Check(path, xtc.CheckOptions{})
			if err != nil || !r.OK() {
				t.Fatal(err, r.Errors, r.Truncated)
			}
			if r.Explained != f.bytes {
				t.Errorf("%d of %d bytes explained", r.Explained, f.bytes)
			}
			if r.SmallData != nil && r.SmallData.Events != f.count[6] {
				t.Errorf("%d events agree with the small data, want %d", r.SmallData.Events, f.count[6])
			}
			if r.SmallData == nil && strings.HasSuffix(f.path, "-c000.xtc2") {
				t.Error("the small data was not found")
			}
			t.Log(r.Warnings)
		})
	}
}

// walk calls f for each datagram of a file.
func walk(t testing.TB, path string, f func(table *xtc.Table, d xtc.Dgram, offset int64)) {
	t.Helper()
	r, table, err := xtc.OpenWithNames(path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		_, err := r.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		offset := r.Offset()
		d, err := r.ReadDgram(nil)
		if err != nil {
			t.Fatal(err)
		}
		if d.Service() == xtc.Configure {
			if err := table.Configure(d); err != nil {
				t.Fatal(err)
			}
		}
		f(table, d, offset)
	}
}

// blocks collects the blocks of a datagram.
func blocks(t testing.TB, table *xtc.Table, d xtc.Dgram) (all []xtc.Block) {
	t.Helper()
	it := table.Blocks(d)
	for it.Next() {
		all = append(all, *it.Block())
	}
	if it.Err() != nil {
		t.Fatal(it.Err())
	}
	return all
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

func TestSampleArrays(t *testing.T) {
	type array struct {
		offset int64
		sum    uint64
		sha    string
	}
	tests := []struct {
		path string
		want []array
	}{
		{"detector/test_epix_calib.xtc2", []array{
			{1734194, 2632691925, "c302a330787f5ef9"}, {1734194, 2629209105, "d02d6b363a39ae46"},
			{1734194, 2639413904, "204b20f5387f8a34"}, {1734194, 2616481596, "43870782a8cbd8f5"},
			{2828154, 2634814418, "6d0a24a184fe8572"}, {2828154, 2631371693, "b7f63bb2ef9da64f"},
			{2828154, 2641567718, "37673aa75375af66"}, {2828154, 2618662001, "2ce09edae53e6f32"}}},
		{"detector/test_jungfrau05M_calib.xtc2", []array{
			{27194, 1259083664, "225ba6df0e599856"}, {1075876, 1253622659, "55b2ac769ecc8a18"}}},
	}
	for _, test := range tests {
		t.Run(test.path, func(t *testing.T) {
			var got []array
			walk(t, filepath.Join(sampleDir(t), test.path), func(table *xtc.Table, d xtc.Dgram, offset int64) {
				if d.Service() != xtc.L1Accept {
					return
				}
				for _, b := range blocks(t, table, d) {
					v, ok := b.FieldNamed("raw")
					if !ok {
						continue
					}
					sum := uint64(0)
					for i := range v.Len() {
						sum += v.UintAt(i)
					}
					got = append(got, array{offset, sum, digest(v.Data)})
				}
			})
			if len(got) != len(test.want) {
				t.Fatalf("%d arrays, want %d", len(got), len(test.want))
			}
			for i, want := range test.want {
				if got[i] != want {
					t.Errorf("array %d: %v, want %v", i, got[i], want)
				}
			}
		})
	}
}

func TestSampleTimetool(t *testing.T) {
	sum, lengths := 0, map[int]int{}
	walk(t, filepath.Join(sampleDir(t), "test_timetool.xtc2"), func(table *xtc.Table, d xtc.Dgram, _ int64) {
		if d.Service() != xtc.L1Accept {
			return
		}
		for _, b := range blocks(t, table, d) {
			for _, c := range b.Data {
				sum += int(c)
			}
			lengths[len(b.Data)]++
		}
	})
	if sum != 37569953 || lengths[144] != 662 || lengths[2208] != 552 || lengths[4272] != 111 {
		t.Errorf("sum %d, lengths %v", sum, lengths)
	}
}

func TestSampleIntegrating(t *testing.T) {
	for _, f := range sampleFiles {
		if filepath.Dir(f.path) != "intg_det" {
			continue
		}
		walk(t, filepath.Join(sampleDir(t), f.path), func(table *xtc.Table, d xtc.Dgram, _ int64) {
			for _, b := range blocks(t, table, d) {
				v, ok := b.FieldNamed("calib")
				if !ok || v.Shape != [xtc.MaxRank]uint32{2, 2} {
					continue
				}
				for i := range v.Len() {
					if want := float64(d.Time()&0xffffffff) - 4; d.Service() == xtc.L1Accept && v.FloatAt(i) != want {
						t.Errorf("%s: %v, want %v", f.path, v.FloatAt(i), want)
					}
				}
			}
		})
	}
}

func TestSampleMixedRate(t *testing.T) {
	want := map[string]string{"floatPgp": "1", "intPgp": "2", "charStrFex": "Test String", "floatFex": "41",
		"intFex": "42", "LowGain": "5", "HighGain": "-2", "On": "-7", "Off": "12"}
	slow := map[string]string{"HX2:DVD:GCC:01:PMON": "41", "HX2:DVD:GPI:01:PMON": "Test String"}
	step := map[string]string{"motor1": "41", "motor2": "42"}
	seen := map[string]int{}
	walk(t, filepath.Join(sampleDir(t), "mixed_rate/xpptut15-r0014-s000-c000.xtc2"),
		func(table *xtc.Table, d xtc.Dgram, _ int64) {
			expected := map[xtc.TransitionID]map[string]string{xtc.L1Accept: want, xtc.SlowUpdate: slow,
				xtc.BeginStep: step}[d.Service()]
			if d.Service() == xtc.L1Accept && len(d) != 848 {
				t.Errorf("an event of %d bytes", len(d))
			}
			if expt, run, ok := xtc.RunInfo(table, d); ok != (d.Service() == xtc.BeginRun) || ok && (expt != "xpptut15" || run != 14) {
				t.Error(d.Service(), expt, run, ok)
			}
			for _, b := range blocks(t, table, d) {
				for i, e := range b.Names.Entries {
					name, _, _ := strings.Cut(e.Name, ":")
					for _, key := range []string{e.Name, name} {
						if text, ok := expected[key]; ok {
							seen[key]++
							if got := b.Field(i).String(); got != text {
								t.Errorf("%v: %s is %q, want %q", d.Service(), e.Name, got, text)
							}
							break
						}
					}
				}
			}
		})
	for _, keys := range []map[string]string{want, slow, step} {
		for key := range keys {
			if seen[key] == 0 {
				t.Errorf("%s was not seen", key)
			}
		}
	}
}

func TestSampleChunks(t *testing.T) {
	dir := filepath.Join(sampleDir(t), "chunking")
	second := filepath.Join(dir, "data-r0001-s000-c001.xtc2")
	first, err := xtc.FindFirstChunk(second)
	if err != nil || filepath.Base(first) != "xpptut15-r0014-s000-c000.xtc2" {
		t.Fatal(first, err)
	}
	l, err := xtc.Ls(first)
	if err != nil || l.NextChunk != filepath.Base(second) || l.Experiment != "xpptut15" || l.Run != 14 {
		t.Error(l, err)
	}
	report, err := xtc.Check(second, xtc.CheckOptions{
		SmallData: filepath.Join(dir, "smalldata", "xpptut15-r0014-s000-c000.smd.xtc2")})
	if err != nil || !report.OK() || report.SmallData.Events != 5 {
		t.Error(report, err)
	}
	alone := filepath.Join(t.TempDir(), filepath.Base(second))
	b, err := os.ReadFile(second)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(alone, b, 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err = xtc.OpenWithNames(alone, "")
	const sentence = "starts with SlowUpdate and has no Configure: it looks like a later chunk of a run; " +
		"name the first chunk with --configure"
	if err == nil || !strings.Contains(err.Error(), sentence) {
		t.Error(err)
	}
	if err := xtc.Dump(io.Discard, alone, xtc.DumpOptions{Configure: first}); err != nil {
		t.Error(err)
	}
}

// TestSampleNames parses what real writers made, garbage and all, and writes it anew.
func TestSampleNames(t *testing.T) {
	for _, f := range sampleFiles {
		walk(t, filepath.Join(sampleDir(t), f.path), func(_ *xtc.Table, d xtc.Dgram, _ int64) {
			for it := xtc.NewIter(d.Payload()); it.Next(); {
				if it.Header().Type == xtc.TypeNames {
					roundTripNames(t, it.Bytes())
				}
			}
		})
	}
}
