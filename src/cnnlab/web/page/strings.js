// The words of the page in English and Chinese.

const words = {
  en: {
    input: "Input",
    choose: "Choose an image, drop one here, or paste one.",
    draw: "Draw",
    erase: "Clear",
    open: "Open a file",
    drawHint: "Draw a digit with the pointer.",
    prediction: "Prediction",
    network: "Network",
    networkHint: "Click a map to enlarge it, then a pixel to see where its number comes from.",
    unit: "Unit",
    noUnit: "Choose a map in the network.",
    shape: "shape",
    from: "computed from",
    receptive: "The outlined part of the image is all that this unit can see (its receptive field).",
    off: "switch this channel off",
    reset: "Undo all changes",
    kernel: "Kernel",
    kernelHint: "Change a number of the kernel and watch the maps.",
    sum: "Sum",
    bias: "bias",
    channel: "channel",
    window: "window",
    padding: "Empty cells lie outside of the map: padding counts as 0.",
    maximum: "the largest number of the window",
    mean: (count) => `the mean: the sum of the window divided by ${count}`,
    batchNorm: "normalized with the mean and variance of training, then scaled and shifted",
    localNorm: "divided by a power of the squares of the neighboring channels",
    copied: "This number is copied from another place.",
    outside: "This place was filled with zeros.",
    largestTerms: (count, total) => `the ${count} largest of ${total} products`,
    rest: "all others",
    occlusion: "What if a part is covered?",
    occlusionHint: "Bright: covering this place lowers the probability of the prediction most.",
    cam: "Where does the class come from?",
    camHint: (layer) =>
      `Bright: channels of ${layer} without which the class scores lower are active here (ablation CAM).`,
    none: "image only",
    exact: "check: the network's own number is",
    probability: "softmax: exp(logit) divided by the sum over all classes",
    value: "value",
    label: "true class",
    jump: "Go to",
  },
  zh: {
    input: "输入",
    choose: "选择一张图像,或把图像拖放、粘贴到这里。",
    draw: "手写",
    erase: "清除",
    open: "打开文件",
    drawHint: "用鼠标或手指写一个数字。",
    prediction: "预测",
    network: "网络",
    networkHint: "点击特征图将其放大,再点击一个像素,查看这个数是怎样算出来的。",
    unit: "单元",
    noUnit: "请在网络中选择一张特征图。",
    shape: "形状",
    from: "由以下层计算",
    receptive: "图像中框出的部分就是该单元能看到的全部范围(感受野)。",
    off: "关闭此通道",
    reset: "撤销全部修改",
    kernel: "卷积核",
    kernelHint: "修改卷积核中的一个数,观察特征图的变化。",
    sum: "求和",
    bias: "偏置",
    channel: "通道",
    window: "窗口",
    padding: "空白格位于特征图之外:填充按 0 计算。",
    maximum: "窗口中的最大值",
    mean: (count) => `平均值:窗口之和除以 ${count}`,
    batchNorm: "用训练时的均值和方差归一化,再缩放、平移",
    localNorm: "除以相邻通道平方和的幂",
    copied: "这个数是从别处复制来的。",
    outside: "此处填充为零。",
    largestTerms: (count, total) => `${total} 个乘积中最大的 ${count} 个`,
    rest: "其余之和",
    occlusion: "遮住一部分会怎样?",
    occlusionHint: "越亮:遮住此处使预测的概率下降越多。",
    cam: "类别的依据在哪里?",
    camHint: (layer) => `越亮:${layer} 中对该类别重要的通道在此处越活跃(消融 CAM)。`,
    none: "仅图像",
    exact: "核对:网络自身算出的数是",
    probability: "softmax:exp(logit) 除以所有类别之和",
    value: "值",
    label: "真实类别",
    jump: "跳转到",
  },
};

const operationNames = {
  zh: {
    conv2d: "卷积", linear: "全连接", batch_norm: "批量归一化", max_pool2d: "最大汇聚", avg_pool2d: "平均汇聚",
    adaptive_avg_pool2d: "全局平均汇聚", adaptive_max_pool2d: "全局最大汇聚", local_response_norm: "局部响应归一化",
    add: "相加", mul: "相乘", cat: "通道拼接", pad: "填充", slice: "取样", flatten: "展平", input: "输入",
  },
  en: {
    conv2d: "convolution", linear: "fully connected", batch_norm: "batch norm", max_pool2d: "max pooling",
    avg_pool2d: "average pooling", adaptive_avg_pool2d: "global average pooling",
    adaptive_max_pool2d: "global max pooling", local_response_norm: "local response norm", add: "sum of maps",
    mul: "product", cat: "concatenation", pad: "padding", slice: "subsampling", flatten: "flatten", input: "input",
  },
};

let language = "en";

export const languages = { en: "English", zh: "中文" };

export function speak(name) {
  language = name in words ? name : "en";
  document.documentElement.lang = language;
}

export const spoken = () => language;
export const say = (name, ...values) => {
  const text = words[language][name];
  return typeof text === "function" ? text(...values) : text;
};
export const operationName = (name) => operationNames[language][name] ?? name;
