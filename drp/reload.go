package drp

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"

	"drp/internal/script"
)

// reload looks for another text of the scripts, at each Configure. From the start on only the dispatcher knows it. One that
// is no Python is not taken: the run goes on with the one before. All children run the same text until the next Configure,
// however often the file is saved.
func (r *Run) reload() {
	if text, sum := r.reread(r.cfg.Script, r.cfg.ScriptText); text != nil {
		r.cfg.ScriptText, r.cfg.ScriptSHA256 = text, sum
		r.group.SetScript(text)
	}
	if r.post == nil {
		return
	}
	if text, _ := r.reread(r.cfg.Post.Script, r.cfg.Post.text); text != nil {
		r.cfg.Post.text = text
		r.post.group.SetScript(text)
	}
}

// reread gives the text of a script and its SHA-256, where it is another one than before and can be taken.
func (r *Run) reread(path string, before []byte) (text []byte, sum string) {
	if before == nil {
		return nil, ""
	}
	text, err := os.ReadFile(path)
	if err == nil && bytes.Equal(text, before) {
		return nil, ""
	}
	if err == nil {
		_, err = script.Examine(path) // what is refused at the start is refused here
	}
	if err == nil {
		err = script.Compiles(r.python, path, text)
	}
	if err != nil {
		r.cfg.Log.Error(fmt.Sprintf("script %s was changed and cannot be taken, the run goes on with the one before: %v", path, err))
		return nil, ""
	}
	sum = fmt.Sprintf("%x", sha256.Sum256(text))
	r.cfg.Log.Info(fmt.Sprintf("script %s was changed, SHA-256 %s: it is read anew", path, sum))
	return text, sum
}
