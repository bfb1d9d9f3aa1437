import CLIPModel

extension PromptMethod {
    /// A border of pixels, or a square of them, is added to every frame before the vision tower sees it; the text tower reads class names
    /// in one sentence. Source: Bahng et al. 2022, "Exploring Visual Prompts for Adapting Large-Scale Models", models/prompters.py and
    /// main_clip.py; `methods_more.md` 1.
    package static let pixel = PromptMethod(
        "pixel", summary: "learned numbers that are added to the pixels of every frame (visual prompting, Bahng et al. 2022)",
        pixels: .padding, template: PixelArea.authorsTemplate, descentRate: 40)
}
