# A bash without the package bash-completion lacks two functions. The first sets words, cword, cur and prev as that package does
# with "-n =:": neither "=" nor ":" ends a word. The second completes cur
# to folders with -d, and otherwise to files too, of any extension or of one among "json|yaml|".
if ! declare -F _get_comp_words_by_ref >/dev/null; then
    _get_comp_words_by_ref() {
        local i word rest="$COMP_LINE"
        words=() cword=0
        for ((i = 0; i < ${#COMP_WORDS[@]}; i++)); do
            word="${COMP_WORDS[i]}"
            if ((i > 0)) && [[ "$rest" != [[:space:]]* ]] && [[ "$word" == [=:]* || "${words[${#words[@]} - 1]}" == *[=:] ]]; then
                words[${#words[@]} - 1]+="$word"
            else
                words+=("$word")
            fi
            rest="${rest#*"$word"}"
            ((i != COMP_CWORD)) || cword=$((${#words[@]} - 1))
        done
        cur="${words[cword]}" prev=
        ((cword == 0)) || prev="${words[cword - 1]}"
    }
fi
if ! declare -F _filedir >/dev/null; then
    _filedir() {
        local file
        compopt -o filenames 2>/dev/null
        while IFS= read -r file; do
            if [[ -d "$file" || $# -eq 0 || "|$1" == *"|${file##*.}|"* ]]; then
                COMPREPLY+=("$file")
            fi
        done < <(compgen -f -- "$cur")
    }
fi

