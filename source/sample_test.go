package source_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drp/internal/testkit"
	"drp/source"
	"drp/xtc"
)

// TestSamples replays real files: what is delivered are the bytes of the files.
func TestSamples(t *testing.T) {
	dir := testkit.Data(t, "xtc2")
	const inMotion = "CRSE..........E~.....esr"
	for _, test := range []struct {
		path, expt, services string
		run, events          int
		files                []string // empty: it is the path
	}{
		{"test_ts.xtc2", "", "CRSE..", -1, 2, nil},
		{"test_timetool.xtc2", "", "C" + strings.Repeat(".", 1325), -1, 1325, nil},
		{"detector/test_epix_calib.xtc2", "ueddaq02", "CRSE..", 109, 2, nil},
		{"detector/test_jungfrau05M_calib.xtc2", "mfx101332224", "CRSSE~..", 7, 2, nil},
		{"mixed_rate/xpptut15-r0014-s001-c000.xtc2", "xpptut15", "CRSE...~..~...~..esr", 14, 10, nil},
		{"chunking", "xpptut15", inMotion, 14, 15,
			[]string{"chunking/xpptut15-r0014-s000-c000.xtc2", "chunking/data-r0001-s000-c001.xtc2"}},
	} {
		t.Run(test.path, func(t *testing.T) {
			s := openSource(t, source.Options{}, filepath.Join(dir, test.path))
			info := s.Info()
			if info.Expt != test.expt || info.Run != test.run || info.Events != test.events || len(info.Warnings) > 0 {
				t.Errorf("%+v", info)
			}
			all := drain(t, s, 2)
			checkStructure(t, all)
			if got := services(all); got != test.services {
				t.Errorf("%s, want %s", got, test.services)
			}
			var got, want bytes.Buffer
			for _, d := range all {
				got.Write(d)
			}
			if test.files == nil {
				test.files = []string{test.path}
			}
			for _, path := range test.files {
				want.Write(must(os.ReadFile(filepath.Join(dir, path))))
			}
			if !bytes.Equal(got.Bytes(), want.Bytes()) {
				t.Errorf("%d bytes differ from %d in the files", got.Len(), want.Len())
			}
		})
	}
}

// TestSampleStreams merges the streams of real runs: none of their blocks is lost, and each is where it belongs.
func TestSampleStreams(t *testing.T) {
	dir := testkit.Data(t, "xtc2")
	for _, test := range []struct {
		folder, services string
		streams          int
	}{
		{"intg_det", "CRSE" + strings.Repeat(".", 17) + "esr", 3},
		{"mixed_rate", "", 2},
	} {
		t.Run(test.folder, func(t *testing.T) {
			s := openSource(t, source.Options{}, filepath.Join(dir, test.folder))
			all := drain(t, s, 2)
			checkRising(t, all)
			if got := services(all); test.services != "" && got != test.services {
				t.Errorf("%s, want %s", got, test.services)
			}
			got := tally(t, all)
			want := map[string]int{}
			for i := range test.streams {
				for what, n := range tally(t, replay(t, source.Options{}, filepath.Join(dir, test.folder, streamName(i, 0)))) {
					want[what] += n
				}
			}
			for what, n := range want {
				if got[what] != n {
					t.Errorf("%d of %s, want %d", got[what], what, n)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d kinds of blocks, want %d", len(got), len(want))
			}
		})
	}
}

// tally counts equal blocks: by time, detector, algorithm, segment and contents.
func tally(t *testing.T, all []xtc.Dgram) map[string]int {
	t.Helper()
	table, count := checkStructure(t, all), map[string]int{}
	for _, d := range all {
		for _, b := range blocks(t, table, d) {
			key := bytes.NewBufferString(b.Names.DetName + " " + b.Names.Alg + " ")
			key.WriteByte(byte(b.Names.Segment))
			key.Write(d[:8])
			key.Write(b.Shapes)
			key.Write(b.Data)
			count[key.String()]++
		}
	}
	return count
}
