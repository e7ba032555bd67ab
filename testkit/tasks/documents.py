"""Writes data/: small documents in the form of each task's dataset, with what readers get wrong."""

import csv
import json
import pathlib
import random

HERE = pathlib.Path(__file__).parent
RNG = random.Random(20)

THINGS = ["kettle", "bicycle", "garden", "violin", "river", "ladder", "lantern", "window", "engine", "basket", "compass", "blanket", "harbour", "mirror", "orchard"]
VERBS = ["fills", "carries", "repairs", "paints", "watches", "sells", "measures", "hides", "opens", "cleans"]
PEOPLE = ["Anna", "the miller", "José", "a neighbour", "Zoë", "the pilot", "Ramón", "her aunt", "the girl", "Ōe"]
TAILS = ["before the rain starts", "with both hands", "for the whole village", "and then goes home", "without a word", "as quickly as she can", "near the old bridge", "until it shines",
         "because nobody else will", "under a clear sky — slowly"]


def sentence(n=1):
    return " ".join(f"{RNG.choice(PEOPLE)} {RNG.choice(VERBS)} the {RNG.choice(THINGS)} {RNG.choice(TAILS)}." for _ in range(n))


def phrase():
    return f"{RNG.choice(VERBS)} the {RNG.choice(THINGS)} {RNG.choice(TAILS)}"


def write(name, rows):
    with open(HERE / "data" / name, "w", encoding="utf-8") as f:
        for r in rows:
            f.write(json.dumps(r, ensure_ascii=False) + "\n")


def hellaswag():
    rows = []
    for i in range(24):
        rows.append({"ind": i, "activity_label": RNG.choice(["Baking", "Sailing", "Home and Garden"]), "ctx_a": sentence(1 + i % 3), "ctx_b": RNG.choice(PEOPLE), "ctx": "",
                     "endings": [phrase() + "." for _ in range(4)], "source_id": f"made~{i}", "split": "val", "split_type": "indomain", "label": str(RNG.randrange(4))})
    rows[1].update(ctx_a="[header] How to mend a basket [title] Soak the reed. [step] Wait an hour.", ctx_b="[substeps] weave it in.",
                   endings=["[step] Pull tight. [substeps] Cut the end.", "  Stop  there.   ", "Burn it [title] Begin again.", "[unclosed bracket"])
    rows[2].update(ctx_b="ΟΔΥΣΣΕΥΣ ΣΑΣ ßEES")
    rows[3].update(ctx_b="")
    rows[4].update(ctx_b="ǆUNGLE IS İSTANBUL")
    rows[5].update(ctx_a="", ctx_b="ΑΣ", activity_label="")
    rows[6].update(ctx_a=sentence(12))  # longer than the window
    rows[7].update(label="2", endings=["a", "a", "b", "same"])  # equal answers
    rows[8].update(ctx_a="tabs\tand\u00a0spaces\x1f ", ctx_b=" \u2003starts with spaces")
    rows[9].update(ctx_a="two\nlines [a\nb] stay", endings=["[x", "y]", "[x]y[z]", "日本語の文。"])
    rows[10].update(endings=["[all of it]", "words", "more words", "yet more"])  # an answer that becomes empty
    write("hellaswag.jsonl", rows)


def piqa():
    rows = [{"goal": f"How does one {phrase()}?", "sol1": phrase(), "sol2": phrase(), "label": RNG.randrange(2)} for _ in range(20)]
    rows[1].update(goal='to "quote"', sol1="it's 'so'", sol2='say "so"\nand stop')
    rows[2].update(sol1="a", sol2="a much longer answer that goes on and on")
    rows[3].update(goal="ends in spaces   ")
    rows[4].update(goal=sentence(10))
    rows[5].update(sol1=" begins with a space", sol2="{{ braces }} {% x %}")
    write("piqa.jsonl", rows)


def labelled(n, labels):
    return {"text": [phrase() for _ in range(n)], "label": labels}


def arc(name, n):
    rows = []
    for i in range(n):
        labels = ["A", "B", "C", "D"]
        rows.append({"id": f"made_{i}", "question": f"Why does {sentence()[:-1]}?", "choices": labelled(4, labels), "answerKey": RNG.choice(labels)})
    rows[1].update(choices=labelled(4, ["1", "2", "3", "4"]), answerKey="3")
    rows[2].update(choices=labelled(3, ["A", "B", "C"]), answerKey="C")
    rows[3].update(choices=labelled(5, ["A", "B", "C", "D", "E"]), answerKey="E")
    rows[4].update(question="What is 1 + 1?\u00a0", choices={"text": ["2", "11", "0.5", "½"], "label": ["A", "B", "C", "D"]}, answerKey="A")
    write(name + ".jsonl", rows)


def openbookqa():
    rows = []
    for i in range(20):
        labels = ["A", "B", "C", "D"]
        rows.append({"id": f"made-{i}", "question_stem": f"When {sentence()[:-1]},", "choices": labelled(4, labels), "answerKey": RNG.choice(labels)})
    rows[1].update(answerKey=" B")
    rows[2].update(question_stem="the sun is responsible for \n")
    rows[3].update(question_stem="<s> begins with a special token")
    rows[4].update(question_stem="")
    write("openbookqa.jsonl", rows)


def winogrande():
    rows = []
    for _ in range(24):
        a, b = RNG.sample(PEOPLE, 2)
        rows.append({"sentence": f"{a} asked {b} about the {RNG.choice(THINGS)}, because _ {phrase()}.", "option1": a, "option2": b, "answer": RNG.choice("12")})
    rows[1].update(sentence="_ begins the sentence.", option1="Anna", option2="The pilot")
    rows[2].update(sentence="The last word is _.", option1="short", option2="rather long")
    rows[3].update(sentence="Two blanks: _ and _ .  ")
    rows[4].update(option1="ends in a space ", option2="does not")
    rows[5].update(sentence=sentence(10) + " Then _ " + phrase())
    write("winogrande.jsonl", rows)


SUBJECTS = ["abstract_algebra", "high_school_us_history", "virology"]


def mmlu():
    test, dev = [], []
    for subject in SUBJECTS:
        for rows, n in ((test, 7), (dev, 5)):
            for _ in range(n):
                rows.append({"question": f"Which of these {phrase()}?", "subject": subject, "choices": [RNG.choice(THINGS) for _ in range(4)], "answer": RNG.randrange(4)})
    test[1].update(question=' "Quoted", with a comma\nand a second line \n', choices=['say "a"', "b, c", "", "{{d}}"])
    test[8].update(question=sentence(3))
    write("mmlu.jsonl", test)
    write("mmlu_dev.jsonl", dev)
    for split, rows in (("test", test), ("dev", dev)):
        folder = HERE / "data" / "mmlu_csv" / split
        folder.mkdir(parents=True, exist_ok=True)
        for subject in SUBJECTS:
            with open(folder / f"{subject}_{split}.csv", "w", encoding="utf-8", newline="") as f:
                csv.writer(f, lineterminator="\n").writerows([r["question"], *r["choices"], "ABCD"[r["answer"]]] for r in rows if r["subject"] == subject)


if __name__ == "__main__":
    (HERE / "data").mkdir(exist_ok=True)
    hellaswag()
    piqa()
    arc("arc_easy", 20)
    arc("arc_challenge", 16)
    openbookqa()
    winogrande()
    mmlu()
