// The 汉字 that names and descriptions in a hospital are mostly made of: surnames of most people, characters of given names, words of reports and institutions.
//
// Invariant: an estimate, used to weigh one reading of bytes against another, and nothing else. Being on the list or not changes no text.

const surnames =
  '王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金' +
  '陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文庞樊兰殷施陶洪翟安颜倪严牛温芦季俞章鲁葛伍韦申尤毕聂焦向柳邢岳齐梅莫庄辛管祝左';
const givenNames =
  '伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂兰玉萍红玲芬建华国志海荣春梅雪琴云香月莹晶欢倩燕鹏飞辉斌波宇浩凯健俊帆旭宁新利清彬富顺信子杨' +
  '佳嘉琼勤珍贞莉岚苑婕馨瑗琰韵融园艺咏卿聪澜纯毓悦昭冰爽琬茗羽希欣飘育滢馥筠柔竹霭凝晓枫芸菲寒伊亚宜可姬舒影荔枝思若曦晨轩涵怡慧琳萱睿博远豪' +
  '逸翔天乐永昌德福贵生长朝阳东西南北中山水火木金土心成正少振学庆忠义良全胜祥才发进有坚和博诚先敬震壮会思群豪邦承绍功松善厚民友裕河哲江超亮政谦' +
  '亨奇固之轮翰朗伯宏言若鸣朋梁栋维启克伦树炎行时泰盛雄琛钧冠策腾楠榕风航弘小大文立光宝爱素淑凤连月菊翠巧美冬秋爱妹娣蓉';
const words =
  '医院第一二三四五六七八九十人民市省县区中心附属大学科室部胸腹头颅颈腰椎膝肩髋踝腕肘盆腔肺肝胆脾胰肾脏脑心血管动脉静脉平扫增强成像造影检查检测超声' +
  '射线摄影正侧斜位双左右上下前后内外侧骨关节软组织鼻窦眼耳喉甲状腺乳房子宫卵巢前列膀胱输尿道食胃肠阑尾淋巴皮肤肌肉神经系统功能诊断报告影像放射介入核' +
  '磁共振电图普通急诊住门病床号复查随访术未见明显异常结节占位炎症积液钙化骨折肿瘤癌转移梗死出血狭窄扩张增大减退性的和与及或无有可在为是不了请合建议' +
  '主任师技员主治护士住院体男女岁年月日时分次号编码类型序列期相薄层重建三维冠矢轴面加权压脂抑制弥散灌注波谱定位低高密度信号影呈示约大小形态';

const frequent: ReadonlySet<string> = new Set(Array.from(surnames + givenNames + words));

/** How many there are: the share of each is counted from it. */
export const frequentHanCount = frequent.size;

export function isFrequentHan(char: string): boolean {
  return frequent.has(char);
}
