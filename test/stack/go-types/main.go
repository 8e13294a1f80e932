// Reads a list of config entries and decodes each into the public type that Consul's Go client has for its kind. An
// unknown field is an error. What the types hold is written back, so that the caller can see that nothing was lost.
// With the argument `yaml` it reads a document as kubectl does, and writes it as JSON.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/consul/api"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) > 1 && os.Args[1] == "yaml" {
		return convert()
	}
	var entries []json.RawMessage
	if err := json.NewDecoder(os.Stdin).Decode(&entries); err != nil {
		return err
	}
	decoded := make([]api.ConfigEntry, 0, len(entries))
	for _, raw := range entries {
		var named struct{ Kind, Name string }
		if err := json.Unmarshal(raw, &named); err != nil {
			return err
		}
		entry, err := api.MakeConfigEntry(named.Kind, named.Name)
		if err != nil {
			return err
		}
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(entry); err != nil {
			return fmt.Errorf("%s %s: %w", named.Kind, named.Name, err)
		}
		decoded = append(decoded, entry)
	}
	return json.NewEncoder(os.Stdout).Encode(decoded)
}

func convert() error {
	document, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	text, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(text)
	return err
}
