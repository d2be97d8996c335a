package publish

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"

	"drp/internal/testkit"
)

// TestManyProcessesShareOneCopy: 64 processes read from all pages of the constants, and the kernel counts each page once.
func TestManyProcessesShareOneCopy(t *testing.T) {
	testkit.NoLeaks(t)
	const children = 64
	c := Config{Partition: "p", Folder: folder(t)}
	set := sized(t, "camera", 1, 4000) // 4 MB
	p := publisher(t, c)
	want := p.must(t, set, 1)
	type child struct {
		in  io.WriteCloser
		out *bufio.Reader
		cmd *exec.Cmd
	}
	var all []child
	t.Cleanup(func() {
		for _, c := range all { // all are told before the first is waited for
			_ = c.in.Close()
		}
		for _, c := range all {
			_ = c.cmd.Wait()
		}
	})
	for range children {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), "PUBLISH_TEST_SOCKET="+endpoint(c, set).Path)
		in, err := cmd.StdinPipe()
		must(t, err)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		all = append(all, child{in, bufio.NewReader(out), cmd})
	}
	for i := range all {
		if said, _ := all[i].out.ReadString('\n'); said != fmt.Sprintf("held %d true\n", want.Generation) {
			t.Fatalf("child %d says %q", i, said)
		}
	}
	var looking sync.WaitGroup
	pages := (want.Bytes + 4095) / 4096 * 4
	for i := range all {
		looking.Go(func() {
			_, _ = io.WriteString(all[i].in, "look\n")
			var resident, proportional int
			var trouble string
			if _, err := fmt.Fscan(all[i].out, &resident, &proportional, &trouble); err != nil || trouble != "<nil>" {
				t.Errorf("child %d: %v, %s", i, err, trouble)
			}
			// Attached are the children and this process, which has written all pages.
			if share := pages / (children + 1); resident < pages || proportional < share*9/10 || proportional > share*12/10+64 {
				t.Errorf("child %d: resident %d KiB, proportional %d KiB, of %d KiB", i, resident, proportional, pages)
			}
		})
	}
	looking.Wait()
}
