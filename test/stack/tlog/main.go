// Checks an export of the decision log with Go's own implementation of notes and Merkle trees: opens each checkpoint with
// the public key, and computes its root from the hashes of the decisions before it. Prints how many it checked. With a
// checkpoint: checks a proof that the log extends it.
//
// Usage: tlog KEY-FILE < EXPORT
//
//	tlog KEY-FILE CHECKPOINT-FILE < PROOF
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type event struct {
	Type string `json:"type"`
	Data struct {
		Note  string `json:"note"`
		Chain struct {
			Hash string `json:"hash"`
		} `json:"chain"`
	} `json:"data"`
}

// hashes keeps the stored hashes of the tree in memory.
type hashes []tlog.Hash

func (stored hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	read := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		read[i] = stored[index]
	}
	return read, nil
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// open verifies a note and returns its size and its root.
func open(signed string, verifier note.Verifier) (int64, tlog.Hash) {
	opened, err := note.Open([]byte(signed), note.VerifierList(verifier))
	check(err)
	text := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(text[1], 10, 64)
	check(err)
	root, err := tlog.ParseHash(text[2])
	check(err)
	return size, root
}

// extends checks the proof on the standard input.
func extends(file string, verifier note.Verifier) {
	kept, err := os.ReadFile(file)
	check(err)
	var proof struct {
		Checkpoint string      `json:"checkpoint"`
		Hashes     []tlog.Hash `json:"hashes"`
	}
	check(json.NewDecoder(os.Stdin).Decode(&proof))
	from, old := open(string(kept), verifier)
	to, root := open(proof.Checkpoint, verifier)
	check(tlog.CheckTree(proof.Hashes, to, root, from, old))
	fmt.Printf("%d decisions extend %d\n", to, from)
}

func main() {
	key, err := os.ReadFile(os.Args[1])
	check(err)
	verifier, err := note.NewVerifier(strings.TrimSpace(string(key)))
	check(err)
	if len(os.Args) > 2 {
		extends(os.Args[2], verifier)
		return
	}
	var stored hashes
	decisions, checkpoints := int64(0), 0
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var each event
		check(json.Unmarshal(lines.Bytes(), &each))
		if each.Type != "dev.scopemesh.checkpoint.signed" {
			leaf, err := hex.DecodeString(each.Data.Chain.Hash)
			check(err)
			added, err := tlog.StoredHashes(decisions, leaf, stored)
			check(err)
			stored = append(stored, added...)
			decisions++
			continue
		}
		size, signed := open(each.Data.Note, verifier)
		root, err := tlog.TreeHash(size, stored)
		check(err)
		if root != signed {
			check(fmt.Errorf("checkpoint of %d decisions: root %s, computed %s", size, signed, root))
		}
		checkpoints++
	}
	check(lines.Err())
	fmt.Printf("%d decisions, %d checkpoints\n", decisions, checkpoints)
}
