// Judges expressions on texts with Go's RE2. Reads and writes a JSON list.
package main

import (
	"encoding/json"
	"os"
	"regexp"
)

type question struct {
	Regex string `json:"regex"`
	Text  string `json:"text"`
	// Absent if Go refuses the expression.
	Whole *bool `json:"whole,omitempty"`
	Part  *bool `json:"part,omitempty"`
}

func main() {
	var questions []question
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		panic(err)
	}
	for i := range questions {
		each := &questions[i]
		part, err := regexp.Compile(each.Regex)
		if err != nil {
			continue
		}
		whole := regexp.MustCompile(`\A(?:` + each.Regex + `)\z`)
		isWhole, isPart := whole.MatchString(each.Text), part.MatchString(each.Text)
		each.Whole, each.Part = &isWhole, &isPart
	}
	if err := json.NewEncoder(os.Stdout).Encode(questions); err != nil {
		panic(err)
	}
}
