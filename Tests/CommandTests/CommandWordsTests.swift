import Foundation
import TestSupport
import Testing

/// Words that were mistyped, and numbers outside of what is allowed: each is named as it was typed, with the same status.
@Suite(.serialized) struct CommandWordsTests {
    @Test(arguments: [
        ("learn --shot 2", "Unknown option '--shot'. Did you mean '--shots'?"),
        ("bridge --epoch 3 --output x", "Unknown option '--epoch'. Did you mean '--epochs'?"),
        ("plan learn --shot 2", "Unknown option '--shot'. Did you mean '--shots'?"),
        ("predict --threshhold 0.5 a.mp4", "Unknown option '--threshhold'. Did you mean '--threshold'?"),
        ("eval --vall x", "Unknown option '--vall'. Did you mean '--val'?"),
        ("learn shots=2", "Did you mean '--shots=2'?"),
        ("lern", "Did you mean 'learn'?"), ("lern --help", "Did you mean 'learn'?"), ("help lern", "Did you mean 'learn'?"),
        ("train", "Did you mean 'learn'?"), ("split x.txt", "Did you mean 'data split'?"),
        ("data imprt", "Did you mean 'import'?"), ("viz atention x.mp4", "Did you mean 'attention'?"),
        ("eval zeroshot", "Did you mean 'zero-shot'?"), ("recipe shw few-shot/prompt", "Did you mean 'show'?"),
        ("plan lern", "Did you mean 'learn'?"),
        ("learn --seed -1", "--seed: -1 is out of range"), ("learn --epochs 0", "--epochs: 0 is out of range"),
        ("learn --eval-every 0", "--eval-every: 0 is out of range"), ("learn --learning-rate -1", "--learning-rate: -1.0 is out of range"),
        ("learn --set training.epochs=0", "training.epochs: 0 is out of range"), ("learn --threads 0", "--threads is 0"),
        ("predict x.mp4 --top -1", "--top is -1"), ("predict x.mp4 --threshold -0.5", "--threshold is -0.5"),
        ("viz tsne --seed -1", "--seed is -1"), ("report x --videos -1", "--videos is -1"),
        ("predict in --csv --output a.csv", "--csv > answers.csv"),
    ])
    func mistypedWordsAreNamed(_ line: String, _ words: String) throws {
        let outcome = try Program().run(line.split(separator: " ").map(String.init))
        #expect(outcome.status == 64 && outcome.output == "", "\(outcome.messages)")
        #expect(outcome.messages.contains(words), "\(outcome.messages)")
        for wrong in ["--resume", "command line:", "Missing value"] { #expect(!outcome.messages.contains(wrong), "\(outcome.messages)") }
    }

    @Test func aSecondVerbIsNoRun() throws {
        let outcome = try Program()("plan", "learn", "learn")
        #expect(outcome.status == 64 && outcome.messages.hasPrefix("Error: Unexpected argument 'learn'.\n"), "\(outcome.messages)")
    }

    /// Defaults stand in the help as they are typed.
    @Test func helpShowsWhatIsTyped() throws {
        let help = try Program()("predict", "--help").output
        #expect(help.contains("(default: 2s)") && help.contains("(default: 3s)") && !help.contains("seconds("))
    }

    /// Something that is there already is the same error everywhere.
    @Test func whatIsThereEndsInOneStatus() throws {
        let program = try Program.withVideos()
        let paths = try SmallModel().write(to: program)
        try program.folder.write("x", to: "there.safetensors")
        for (file, words) in [
            ("there.yaml", "recipe import none.yaml --output there.yaml"), ("there.html", "report runs -o there.html"),
            ("there.txt", "data check list.txt --write-good there.txt"),
        ] {
            try program.folder.write("x", to: file)
            #expect(try program.run(words.split(separator: " ").map(String.init)).status == 74, "\(words)")
        }
        #expect(try program("export", "--prompts", paths.prompts, "--output", "there.safetensors").status == 74)
        #expect(try program("bridge", "--import", "clip.safetensors", "--output", "there.safetensors").status == 74)
    }

    // MARK: JSON

    @Test func jsonIsJSONAlsoOfWhatCannotBeRead() throws {
        let program = try Program.withVideos()
        let paths = try SmallModel().write(to: program)
        try program.folder.write("no video", to: "bad.mp4")
        try program.folder.write("bad.mp4 0\nvideo1.mp4 1\n", to: "bad.txt")
        for line in [
            "predict bad.mp4 --json --prompts \(paths.prompts)", "predict none.mp4 --jsonl --prompts \(paths.prompts)",
            "predict bad.mp4 video1.mp4 --json --on-bad-video fail --prompts \(paths.prompts)",
            "inspect bad.mp4 --json", "inspect none.safetensors --json", "data check bad.txt --json", "data check none.txt --json",
            "eval --val bad.txt --labels labels.csv --backbone clip.safetensors --frames 2 --json", "thresholds none.jsonl --json",
        ] {
            let outcome = try program.run(line.split(separator: " ").map(String.init))
            #expect(outcome.status == 65 || outcome.status == 66, "\(line): \(outcome.messages)")
            let isLines = line.hasPrefix("predict")
            for text in isLines ? outcome.output.split(separator: "\n").map(String.init) : [outcome.output] {
                #expect(throws: Never.self, "\(line): \(text)") { try JSONSerialization.jsonObject(with: Data(text.utf8)) }
            }
            #expect(!outcome.output.isEmpty, "\(line)")
        }
    }

    // MARK: Recipes

    /// A folder of somebody's own hides nothing that comes with the program.
    @Test func ownFoldersHideNoRecipes() throws {
        let program = try Program()
        try program.folder.write("training: {epochs: 3}\n", to: "Recipes/mine.yaml")
        try program.folder.write("x", to: "pocket/learn/x.txt")
        try program.folder.write("x", to: "depth/x.txt")
        let outcome = try program.run(["recipe", "list"], environment: ["VIFI_PROMPT_HOME": ""])
        #expect(outcome.status == 0 && outcome.output.contains("few-shot/prompt") && !outcome.output.contains("mine"), "\(outcome.messages)")
        #expect(try program("recipe", "show", "pocket/learn").status == 0)
        #expect(try program("recipe", "show", "Recipes/pocket/learn.yaml").status == 0)
    }

    /// Whatever `recipe list` names.
    @Test func namesOfGridsAreFound() throws {
        let program = try Program.withVideos()
        for name in ["fusion", "ablations/fusion", "pocket/ablations/fusion"] {
            let outcome = try program(
                "ablate", name, "--dry-run", "--no-timing", "--train", "train.txt", "--val", "val.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors")
            #expect(outcome.status == 0 && outcome.output.contains("decision"), "\(name): \(outcome.messages)")
        }
    }

    /// A misspelt value of a few, a misspelt member of a list, and a name that an option of files takes as well.
    @Test(arguments: [
        ("bridge --tuning imagee", "Please provide one of 'both', 'image', 'text' or 'lora'. Did you mean 'image'?"),
        ("eval --on-bad-video skp", "Did you mean 'skip'?"), ("learn --activation quickgelu", "Did you mean 'quick_gelu'?"),
        ("export --to pfet", "Did you mean 'peft'?"), ("viz attention --map rew", "Did you mean 'raw'?"),
        ("plan --emit slurm-aray learn", "Did you mean 'slurm-array'?"), ("plan lern", "Did you mean 'learn'?"),
        ("plan evaluate zeroshot", "Did you mean 'zero-shot'?"),
        ("evaluate few-shot --methods promt,fine-tune", "'promt' is not a method. Did you mean 'prompt'?"),
        ("evaluate base-to-novel --base-classes frequentt", "Did you mean 'frequent'?"),
        ("data split --train a --labels b --shots 2,,4", "a member is empty."), ("learn --seeds 1,a", "'a' is not a seed"),
        ("thresholds x --at 0.1,2", "'2' is not a number between 0 and 1"), ("import x --heads 12", "two numbers are needed"),
    ]) func theNearestIsSuggested(_ line: String, _ message: String) throws {
        let outcome = try Program().run(line.split(separator: " ").map(String.init))
        #expect(outcome.status == 64 && outcome.messages.contains(message), "\(outcome.messages)")
        #expect(!outcome.messages.contains("learn learn") && !outcome.messages.contains("<subcommand>"), "\(outcome.messages)")
    }

    /// The name of a file where a folder is made, and the other way round.
    @Test(arguments: [
        ("eval --output x.json", "the result is a folder"), ("learn --output x.safetensors", "the result is a folder"),
        ("viz curves -o curves.svg", "the result is a folder"), ("evaluate zero-shot -o z.csv", "the result is a folder"),
        ("predict x.mp4 --output answers", "ends with .jsonl"), ("predict x.mp4 --output answers.csv", "ends with .jsonl"),
    ]) func outputIsWhatTheHelpSays(_ line: String, _ message: String) throws {
        let outcome = try Program().run(line.split(separator: " ").map(String.init))
        #expect(outcome.status == 64 && outcome.messages.contains(message), "\(outcome.messages)")
    }
}
