package func openWeights(_ path: String) throws(WeightFileError) -> any WeightSource { try SafetensorsFile(path: path) }
