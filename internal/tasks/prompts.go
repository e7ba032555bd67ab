package tasks

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"golang.org/x/text/cases"
	"golang.org/x/text/language"

	"templar/internal/strictjson"
)

// document makes the requests of a row.
func (r *reader) document(file string, row []byte) (Document, error) {
	switch r.task {
	case HellaSwag:
		return hellaSwag(row)
	case PIQA:
		return piqa(row)
	case ARCEasy, ARCChallenge:
		return arc(row)
	case OpenBookQA:
		return openBookQA(row)
	case WinoGrande:
		return winoGrande(row)
	}
	q, err := mmlu(file, row)
	if err != nil {
		return Document{}, err
	}
	prefix := ""
	if r.shots > 0 {
		var ok bool
		if prefix, ok = r.examples[q.subject]; !ok {
			return Document{}, fmt.Errorf("subject %q has no worked examples", q.subject)
		}
	}
	d := answers(describe(q.subject)+prefix+q.prompt(), letters, q.answer)
	d.Subject = q.subject
	return d, nil
}

// decode reads a row and names the field that is wrong.
func decode(row []byte, v any) error {
	err := strictjson.Unmarshal(row, v)
	if err == nil {
		return nil
	}
	var meaning *jsonv2.SemanticError
	if errors.As(err, &meaning) && meaning.JSONPointer != "" {
		field := strings.ReplaceAll(strings.TrimPrefix(string(meaning.JSONPointer), "/"), "/", ".")
		if meaning.Err != nil {
			return fieldError(field, "%w", meaning.Err)
		}
		return fieldError(field, "%v where %v is wanted", meaning.JSONKind, meaning.GoType)
	}
	return fmt.Errorf("not a document of the task: %w", err)
}

// answers makes a document whose answers stand behind one context and a space.
func answers(context string, choices []string, gold int) Document {
	d := Document{Gold: gold}
	for _, c := range choices {
		d.Requests = append(d.Requests, Request{context, " " + c, utf8.RuneCountInString(c)})
	}
	return d
}

func checkChoices(field string, choices []string) error {
	if len(choices) < 2 || len(choices) > maxChoices {
		return fieldError(field, "%d answers: want 2 to %d", len(choices), maxChoices)
	}
	return nil
}

func hellaSwag(row []byte) (Document, error) {
	var d struct {
		Activity text     `json:"activity_label"`
		A        text     `json:"ctx_a"`
		B        text     `json:"ctx_b"`
		Endings  []string `json:"endings"`
		Label    label    `json:"label"`
	}
	if err := decode(row, &d); err != nil {
		return Document{}, err
	}
	if err := need(map[string]text{"activity_label": d.Activity, "ctx_a": d.A, "ctx_b": d.B}); err != nil {
		return Document{}, err
	}
	if err := checkChoices("endings", d.Endings); err != nil {
		return Document{}, err
	}
	gold, err := d.Label.index("label", len(d.Endings))
	if err != nil {
		return Document{}, err
	}
	endings := make([]string, len(d.Endings))
	for i, e := range d.Endings {
		endings[i] = cleaned(e)
	}
	return answers(cleaned(d.Activity.value+": "+d.A.value+" "+capitalized(d.B.value)), endings, gold), nil
}

var bracketed = regexp.MustCompile(`\[.*?\]`)

// cleaned takes away the marks that HellaSwag's part from WikiHow has.
func cleaned(s string) string {
	s = strip(s)
	s = strings.ReplaceAll(s, " [title]", ". ")
	s = bracketed.ReplaceAllString(s, "")
	return strings.ReplaceAll(s, "  ", " ")
}

func piqa(row []byte) (Document, error) {
	var d struct {
		Goal  text  `json:"goal"`
		One   text  `json:"sol1"`
		Two   text  `json:"sol2"`
		Label label `json:"label"`
	}
	if err := decode(row, &d); err != nil {
		return Document{}, err
	}
	if err := need(map[string]text{"goal": d.Goal, "sol1": d.One, "sol2": d.Two}); err != nil {
		return Document{}, err
	}
	gold, err := d.Label.index("label", 2)
	return answers("Question: "+d.Goal.value+"\nAnswer:", []string{d.One.value, d.Two.value}, gold), err
}

// labelled are answers with labels of their own.
type labelled struct {
	Text  []string `json:"text"`
	Label []string `json:"label"`
}

// index checks the answers and finds the one with a label.
func (l labelled) index(key text, trim func(string) string) (int, error) {
	if err := checkChoices("choices.text", l.Text); err != nil {
		return 0, err
	}
	if len(l.Label) != len(l.Text) {
		return 0, fieldError("choices.label", "%d labels of %d answers", len(l.Label), len(l.Text))
	}
	if err := need(map[string]text{"answerKey": key}); err != nil {
		return 0, err
	}
	if key.value == "" {
		return 0, noAnswer("answerKey")
	}
	i := slices.Index(l.Label, trim(key.value))
	if i < 0 {
		return 0, fieldError("answerKey", "%.40q is none of the labels %.10q", key.value, l.Label)
	}
	return i, nil
}

func arc(row []byte) (Document, error) {
	var d struct {
		Question text     `json:"question"`
		Choices  labelled `json:"choices"`
		Key      text     `json:"answerKey"`
	}
	if err := decode(row, &d); err != nil {
		return Document{}, err
	}
	if err := need(map[string]text{"question": d.Question}); err != nil {
		return Document{}, err
	}
	gold, err := d.Choices.index(d.Key, func(s string) string { return s })
	return answers("Question: "+d.Question.value+"\nAnswer:", d.Choices.Text, gold), err
}

func openBookQA(row []byte) (Document, error) {
	var d struct {
		Stem    text     `json:"question_stem"`
		Choices labelled `json:"choices"`
		Key     text     `json:"answerKey"`
	}
	if err := decode(row, &d); err != nil {
		return Document{}, err
	}
	if err := need(map[string]text{"question_stem": d.Stem}); err != nil {
		return Document{}, err
	}
	gold, err := d.Choices.index(d.Key, lstrip)
	return answers(d.Stem.value, d.Choices.Text, gold), err
}

// winoGrande asks for the likelihood of what follows the blank, behind each way to fill it (Trinh and Le 2018).
func winoGrande(row []byte) (Document, error) {
	var d struct {
		Sentence text `json:"sentence"`
		One      text `json:"option1"`
		Two      text `json:"option2"`
		Answer   text `json:"answer"`
	}
	if err := decode(row, &d); err != nil {
		return Document{}, err
	}
	if err := need(map[string]text{"sentence": d.Sentence, "option1": d.One, "option2": d.Two, "answer": d.Answer}); err != nil {
		return Document{}, err
	}
	before, after, ok := strings.Cut(d.Sentence.value, "_")
	if !ok {
		return Document{}, fieldError("sentence", "no blank _ to fill")
	}
	gold := slices.Index([]string{"1", "2"}, d.Answer.value)
	switch {
	case d.Answer.value == "":
		return Document{}, noAnswer("answer")
	case gold < 0:
		return Document{}, fieldError("answer", "%.40q is neither 1 nor 2", d.Answer.value)
	}
	out := Document{Gold: gold}
	for _, o := range []string{d.One.value, d.Two.value} {
		out.Requests = append(out.Requests, Request{before + o, " " + strip(after), utf8.RuneCountInString(before + o)})
	}
	return out, nil
}

// question is one of MMLU.
type question struct {
	subject, text string
	choices       []string
	answer        int
}

var letters = []string{"A", "B", "C", "D"}

// subjectName is what subjects look like.
var subjectName = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)

func mmlu(file string, row []byte) (q question, err error) {
	var d struct {
		Question text     `json:"question"`
		Subject  text     `json:"subject"`
		Choices  []string `json:"choices"`
		Answer   label    `json:"answer"`
	}
	if row[0] == '[' {
		var record []string
		if err := json.Unmarshal(row, &record); err != nil {
			return q, err
		}
		if len(record) != len(csvFields) {
			return q, errors.New("want an object")
		}
		name := strings.TrimSuffix(filepath.Base(file), ".csv")
		name = strings.TrimSuffix(strings.TrimSuffix(name, "_test"), "_dev")
		d.Question, d.Subject = text{record[0], true}, text{name, true}
		d.Choices, d.Answer = record[1:5], label{record[5], true}
	} else if err := decode(row, &d); err != nil {
		return q, err
	}
	if err := need(map[string]text{"question": d.Question, "subject": d.Subject}); err != nil {
		return q, err
	}
	if !subjectName.MatchString(d.Subject.value) {
		return q, fieldError("subject", "%.40q: want lower-case letters, digits and _", d.Subject.value)
	}
	if len(d.Choices) != len(letters) {
		return q, fieldError("choices", "%d answers: want %d", len(d.Choices), len(letters))
	}
	q = question{subject: d.Subject.value, text: d.Question.value, choices: d.Choices}
	if q.answer = slices.Index(letters, d.Answer.text); q.answer < 0 {
		q.answer, err = d.Answer.index("answer", len(letters))
	}
	return q, err
}

// describe begins each prompt of a subject.
func describe(subject string) string {
	return "The following are multiple choice questions (with answers) about " + strings.ReplaceAll(subject, "_", " ") + ".\n\n"
}

func (q question) prompt() string {
	var b strings.Builder
	b.WriteString(strip(q.text))
	for i, c := range q.choices {
		fmt.Fprintf(&b, "\n%s. %s", letters[i], c)
	}
	b.WriteString("\nAnswer:")
	return b.String()
}

// worked reads the worked examples of each subject: the first of its file.
func (r *reader) worked(files []string) (map[string]string, error) {
	out, count := make(map[string]string), make(map[string]int)
	for _, f := range files {
		err := r.each(f, func(_ string, row []byte) error {
			q, err := mmlu(f, row)
			if err == nil && count[q.subject] < r.shots {
				count[q.subject]++
				out[q.subject] += q.prompt() + " " + letters[q.answer] + "\n\n"
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	for subject, n := range count {
		if n < r.shots {
			return nil, fmt.Errorf("subject %s has %d worked examples: %d are asked for", subject, n, r.shots)
		}
	}
	return out, nil
}

// isSpace reports what Python takes for white space, which the prompts are defined by.
func isSpace(r rune) bool {
	switch {
	case r >= '\t' && r <= '\r', r >= 0x1c && r <= ' ', r == 0x85, r == 0xa0, r == 0x1680, r >= 0x2000 && r <= 0x200a,
		r == 0x2028, r == 0x2029, r == 0x202f, r == 0x205f, r == 0x3000:
		return true
	}
	return false
}

func strip(s string) string  { return strings.TrimFunc(s, isSpace) }
func lstrip(s string) string { return strings.TrimLeftFunc(s, isSpace) }

// capitalized is Python's: the first character in title case, the others in lower case.
func capitalized(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	lower := cases.Lower(language.Und, cases.HandleFinalSigma(true))
	rest := lower.String(s)[len(lower.String(s[:n])):] // a final sigma depends on what stands before it
	return cases.Title(language.Und, cases.NoLower).String(s[:n]) + rest
}
